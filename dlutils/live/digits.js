// A pad to write a digit on, and what the chapter's own network says of it: framed as its training images were, or as drawn.
"use strict";
(() => {
  const live = dlLive;
  const PAD = 28, PEN = 2.4, UNIT = 10;  // the pad and the pen in the network's pixels, and one of those on the page

  // A smooth curve through places: at each it goes along the line from the one before to the one after (Catmull and Rom).
  const curve = (places, parts = 6) => places.flatMap((place, k) => {
    if (k === 0) return [place];
    const [a, b, c, d] = [-2, -1, 0, 1].map((step) => places[Math.min(Math.max(k + step, 0), places.length - 1)]);
    return Array.from({ length: parts }, (_, part) => {
      const t = (part + 1) / parts;
      return [0, 1].map((i) => b[i] + 0.5 * t * (c[i] - a[i] + t * (2 * a[i] - 5 * b[i] + 4 * c[i] - d[i] + t * (3 * (b[i] - c[i]) + d[i] - a[i]))));
    });
  });
  // Ten digits for those who cannot draw, a metre high: strokes through these places, a straight one through two.
  live.written = [
    [[[0.34, 0], [0.08, 0.25], [0.02, 0.6], [0.22, 0.96], [0.5, 0.9], [0.68, 0.5], [0.6, 0.12], [0.34, 0]]],
    [[[0.2, 0], [0, 1]]],
    [[[0.04, 0.25], [0.25, 0.02], [0.55, 0.05], [0.62, 0.3], [0.4, 0.62], [0, 0.96]], [[0, 0.96], [0.7, 0.97]]],
    [[[0.04, 0.12], [0.3, 0], [0.55, 0.14], [0.48, 0.36], [0.22, 0.46]], [[0.22, 0.46], [0.54, 0.54], [0.62, 0.76], [0.4, 0.98], [0, 0.92]]],
    [[[0.16, 0.05], [0.02, 0.5], [0.1, 0.58], [0.66, 0.5]], [[0.58, 0], [0.46, 1]]],
    [[[0.1, 0.02], [0.06, 0.42], [0.34, 0.36], [0.58, 0.52], [0.56, 0.8], [0.3, 1], [0, 0.92]], [[0.1, 0.02], [0.62, 0]]],
    [[[0.5, 0], [0.18, 0.3], [0.02, 0.68], [0.14, 0.96], [0.42, 0.96], [0.56, 0.74], [0.4, 0.54], [0.06, 0.7]]],
    [[[0, 0.04], [0.62, 0.02]], [[0.62, 0.02], [0.4, 0.45], [0.26, 1]]],
    [[[0.58, 0.14], [0.3, 0], [0.1, 0.18], [0.3, 0.44], [0.54, 0.7], [0.4, 0.96], [0.14, 0.94], [0.08, 0.7], [0.34, 0.44], [0.56, 0.26], [0.58, 0.14]]],
    [[[0.56, 0.12], [0.3, 0], [0.06, 0.2], [0.18, 0.46], [0.44, 0.4], [0.56, 0.12]], [[0.56, 0.12], [0.52, 0.6], [0.44, 1]]],
  ].map((strokes) => strokes.map((places) => (places.length > 2 ? curve(places) : places)));

  // How large a drawing is, its longest side without the pen, and where: how far across and down the room it has, 0 to 1.
  const box = (strokes) => [0, 1].map((k) => strokes.flat().reduce(([low, high], place) => [Math.min(low, place[k]), Math.max(high, place[k])], [Infinity, -Infinity]));
  live.lies = (strokes) => {
    const sides = box(strokes), clipped = (share) => Math.min(1, Math.max(0, share));
    const [across, down] = sides.map(([low, high]) => {
      const room = PAD - PEN - (high - low);
      return room > 1e-9 ? clipped((low - PEN / 2) / room) : 0.5;
    });
    return { size: Math.max(...sides.map(([low, high]) => high - low)), across, down };
  };
  live.placed = (strokes, { size, across, down }) => {
    const sides = box(strokes), now = live.lies(strokes).size, scale = now > 1e-6 ? size / now : 1;
    const corner = sides.map(([low, high], k) => PEN / 2 + [across, down][k] * (PAD - PEN - scale * (high - low)));
    return strokes.map((stroke) => stroke.map((place) => place.map((value, k) => corner[k] + scale * (value - sides[k][0]))));
  };

  // Grey levels, a byte each, but for runs of ground: a 0, and how many.
  live.unrun = (bytes) => {
    const levels = [];
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i]) levels.push(bytes[i] / 255);
      else for (let n = bytes[++i]; n > 0; n--) levels.push(0);
    }
    return new Float64Array(levels);
  };
  const percent = (p) => `${(100 * p).toFixed(1)} %`;

  live.kinds.digits = (body, state) => {
    const count = state.labels.length, network = live.unpack(state.network, count), levels = live.unrun(live.bytes(state.images));
    const expected = live.floats(state.probabilities), pixels = PAD * PAD;
    const ask = (image) => {
      network.a[0].set(image);
      return live.softmax(network.forward(1).subarray(0, 10));
    };
    const image = (k) => levels.subarray(k * pixels, (k + 1) * pixels);

    body.classList.add("dl-digits");
    const paper = live.element(body, "div", { className: "dl-paper" });
    const [pad, pen] = live.canvas(paper, PAD * UNIT, PAD * UNIT, "");
    pad.classList.add("dl-pad");
    const side = live.element(paper, "div", { className: "dl-seen" });
    const [seen, eye] = live.canvas(side, PAD * 4, PAD * 4, "");
    live.element(side, "span", { textContent: "what the network is given" });
    const bars = live.element(paper, "div", { className: "dl-bars" });
    bars.setAttribute("role", "img");
    const lines = Array.from({ length: 10 }, (_, digit) => {
      const line = live.element(bars, "div"), name = live.element(line, "b", { textContent: digit });
      return { name, bar: live.element(live.element(line, "span"), "i"), value: live.element(line, "b") };
    });

    let replaced = 0, moved = false;  // the test image that one's own strokes stand in place of; whether a slider was used
    let strokes = [], given = new Float64Array(pixels), answer = null, drawing = null, due = false;
    const test = () => Number(slider.value);  // 0: none
    const framed = () => framing.value === framing.options[0].value;

    const levelsOn = (canvas, unit, image) => {
      canvas.fillStyle = "#fff";
      canvas.fillRect(0, 0, PAD * unit, PAD * unit);
      image.forEach((ink, p) => {
        if (!(ink > 0)) return;
        const grey = Math.round(255 * (1 - ink));
        canvas.fillStyle = `rgb(${grey},${grey},${grey})`;
        canvas.fillRect((p % PAD) * unit, Math.floor(p / PAD) * unit, unit, unit);
      });
    };
    const draw = () => {
      levelsOn(pen, UNIT, test() ? given : []);
      pen.strokeStyle = "#000";
      pen.lineWidth = PEN * UNIT;
      pen.lineCap = pen.lineJoin = "round";
      for (const stroke of strokes) {
        pen.beginPath();
        stroke.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](x * UNIT, y * UNIT));
        if (stroke.length === 1) pen.lineTo(stroke[0][0] * UNIT + 0.01, stroke[0][1] * UNIT);
        pen.stroke();
      }
      if (!strokes.length && !test()) {
        pen.fillStyle = "#595959";
        pen.font = "16px sans-serif";
        pen.textAlign = "center";
        pen.fillText("write a digit here", (PAD * UNIT) / 2, (PAD * UNIT) / 2);
      }
      levelsOn(eye, 4, given);
      lines.forEach(({ name, bar, value }, digit) => {
        bar.style.width = answer ? 100 * answer[digit] + "%" : "0";
        value.textContent = answer ? percent(answer[digit]) : "";
        name.className = value.className = bar.className = answer && digit === best() ? "dl-best" : "";
      });
    };
    const best = () => answer.indexOf(Math.max(...answer));

    const described = () => {  // what stands on the pad, and where
      if (test()) return `Pad, with test image ${test()} of ${count} on it.`;
      if (!strokes.length) return "Pad to write on, empty.";
      const [[l, r], [t, b]] = box(strokes).map((ends) => ends.map(Math.round));
      return `Pad of 28 by 28 pixels, with ${strokes.length === 1 ? "1 stroke" : `${strokes.length} strokes`} from ${l} to ${r} across and ${t} to ${b} down.`;
    };
    const inked = () => {
      const on = Array.from(given.keys()).filter((p) => given[p] > 0.1), rows = on.map((p) => Math.floor(p / PAD)), columns = on.map((p) => p % PAD);
      if (!on.length) return "What the network is given: nothing yet.";
      return `What the network is given, 28 by 28 pixels: ink in columns ${Math.min(...columns)} to ${Math.max(...columns)} and rows ${Math.min(...rows)} to ${Math.max(...rows)}.`;
    };
    const tell = () => {
      const word = answer && `it reads ${best() === 8 ? "an" : "a"} ${best()}, with probability ${percent(answer[best()])}.`;
      const written = framed() ? `Framed${moved ? ", so size and place do not matter" : ""}: ${word}` : `As drawn: ${word}`;
      const shown = () => `Test image ${test()} (test images come framed): ${word} The label says ${state.labels[test() - 1]}.`;
      const text = test() ? shown() : answer ? written : "Write a digit, or choose a ready-made one or a test image.";
      say(text, drawing ? "Writing." : "");
      if (drawing) return;
      pad.setAttribute("aria-label", described());
      seen.setAttribute("aria-label", inked());
      const shares = answer?.map((p, digit) => [p, digit]).filter(([p]) => p >= 0.01).sort((one, other) => other[0] - one[0]);
      bars.setAttribute("aria-label", answer
        ? `Probabilities: ${shares.map(([p, digit]) => `${digit} ${percent(p)}`).join(", ")}${shares.length < 10 ? "; the others are below 1 %" : ""}.`
        : "Ten probabilities, one for each digit: none yet.");
    };
    const show = () => {
      given = test() ? image(test() - 1) : live.frame(strokes, framed());
      answer = test() || strokes.length ? ask(given) : null;
      undo.setAttribute("aria-disabled", !strokes.length);
      previous.setAttribute("aria-disabled", test() === 0);
      next.setAttribute("aria-disabled", test() === count);
      framing.disabled = test() > 0;
      for (const one of Object.values(sliders)) one.disabled = !strokes.length;
      draw();
      tell();
    };
    const wipe = () => {
      strokes = [];
      replaced = 0;
      moved = false;
      slider.put(0);
      ready.value = "none";
    };
    const follow = () => {  // the sliders go where the drawing is
      if (!strokes.length) return;
      const lies = live.lies(strokes);
      sliders.size.put(lies.size + PEN);
      sliders.across.put(100 * lies.across);
      sliders.down.put(100 * lies.down);
    };

    const say = live.voice(body);
    const row = live.row(body);
    live.button(row, "Clear", () => { wipe(); show(); });
    const undo = live.button(row, "Undo stroke", () => {
      strokes = strokes.slice(0, -1);
      if (!strokes.length && replaced) pick(replaced);
      follow();
      show();
    });
    const framing = live.select(row, "It is given", ["framed as MNIST was", "as drawn"], () => show());
    const places = live.row(body, "The drawing on the pad");
    places.classList.add("dl-places");
    const move = (name, least, unit) => (value) => {
      if (strokes.length) strokes = live.placed(strokes, { ...live.lies(strokes), [name]: (value - least) / unit });
      moved = true;
      show();
    };
    const sliders = {  // sizes as MNIST has them, with the pen
      size: live.slider(places, "Size", { min: 6, max: 27, value: 20 }, (value) => `${value} pixels`, move("size", PEN, 1)),
      across: live.slider(places, "Across", { min: 0, max: 100, value: 50 }, (value) => `${value} %`, move("across", 0, 100)),
      down: live.slider(places, "Down", { min: 0, max: 100, value: 50 }, (value) => `${value} %`, move("down", 0, 100)),
    };
    const makes = live.row(body, "Ready-made");
    const ready = live.select(makes, "Ready-made digit", ["none", ...live.written.keys()], () => {
      const digit = ready.value, lies = strokes.length ? live.lies(strokes) : { size: 20 - PEN, across: 0.5, down: 0.5 };
      wipe();
      ready.value = digit;
      if (digit !== "none") strokes = live.placed(live.written[digit], lies);
      follow();
      show();
    });
    const tests = live.row(body, "Test images");
    tests.classList.add("dl-tests");
    const named = (k) => (k ? `${k} of ${count}, ${k <= state.mistakes ? "misread" : "read"}` : "none");
    const pick = (k) => {
      wipe();
      slider.put(k);
    };
    const slider = live.slider(tests, "Test image", { min: 0, max: count, value: 0 }, named, (k) => { pick(k); show(); });
    const step = (text, name, by) => {
      const button = live.button(tests, text, () => {
        if (test() + by < 0 || test() + by > count) return;
        pick(test() + by);
        show();
      });
      button.setAttribute("aria-label", name);
      return button;
    };
    const previous = step("‹", "Previous test image", -1), next = step("›", "Next test image", 1);
    tests.append(slider.parentElement.children[2]);  // the words after the buttons, where they move nothing
    const [changed, all] = state.changed;
    live.element(body, "p", { className: "dl-small", textContent:
      `To keep the page small, weights have ${state.network.bits} bits here; that changes ${changed} of the network's ${all.toLocaleString("en")} answers to test images.` });

    const here = (event) => live.spot(pad, PAD, PAD, event).map((value) => Math.min(PAD, Math.max(0, value)));
    pad.onpointerdown = (event) => {
      if (drawing !== null || event.button !== 0) return;
      event.preventDefault();
      const under = test();
      if (under) wipe();
      replaced = under || replaced;
      ready.value = "none";  // it has become one's own
      moved = false;
      drawing = event.pointerId;
      pad.setPointerCapture(drawing);
      strokes = [...strokes, [here(event)]];
      show();
    };
    pad.onpointermove = (event) => {
      if (event.pointerId !== drawing) return;
      const stroke = strokes.at(-1), events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) {
        const [x, y] = here(one), [u, v] = stroke.at(-1);
        if (Math.hypot(x - u, y - v) > 0.1) stroke.push([x, y]);
      }
      if (due) return;
      due = true;
      requestAnimationFrame(() => { due = false; if (drawing !== null) show(); });
    };
    pad.onpointerup = pad.onpointercancel = pad.onlostpointercapture = (event) => {
      if (event.pointerId !== drawing) return;
      drawing = null;
      follow();
      show();
    };
    show();

    return {
      // The largest difference of a probability from what Python found with the same weights.
      check: () => {
        network.a[0].set(levels);
        const logits = Array.from(network.forward(count));
        return Math.max(...state.labels.map((_, k) => Math.max(...live.softmax(logits.slice(10 * k, 10 * k + 10)).map((p, digit) => Math.abs(p - expected[10 * k + digit])))));
      },
      now: () => ({ strokes, framed: framed(), test: test(), probabilities: answer, digit: answer && best() }),
      // The ten probabilities of strokes, lists of places on a pad 28 wide and high.
      read: (drawn, asMnist = true) => ask(live.frame(drawn, asMnist)),
    };
  };
})();
