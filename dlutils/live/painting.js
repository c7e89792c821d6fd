// A network that is told places and learns their colours, and so paints a picture. A run follows from the picture, what is
// hidden of it, what a place is told by, and how many passes have been made: start and orders are the same each time.
"use strict";
(() => {
  const live = dlLive;
  const colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255", "#332288", "#707070"];
  const dashes = [[], [7, 4], [12, 3, 3, 3], [4, 2], [12, 4], [12, 3, 3, 3, 3, 3]];
  const CHUNK = 128;  // pixels asked for at a time
  const LEG = 20;  // passes that a press of the button makes at most

  // Where a training that has made so many passes stops next.
  live.stopAfter = (passes) => LEG * (Math.floor(Math.max(0, passes) / LEG) + 1);
  // Which runs stay beside a new one, the last few that have made a pass. Those of one name are the same, as far as they
  // go: the longest stays.
  live.earlier = (runs, most) => {
    const longest = new Map();
    for (const run of runs) {
      if (run.costs.length <= Math.max(1, longest.get(run.name)?.costs.length ?? 0)) continue;
      longest.delete(run.name);
      longest.set(run.name, run);
    }
    return [...longest.values()].slice(-most);
  };

  // What the network is told of each pixel, row by row: its standardized row and column, or sines and cosines of waves
  // whose frequencies are `stretch` times the chapter's. Rounded to 32 bits, as the chapter does.
  live.told = (side, frequencies, stretch = 1) => {
    const k = frequencies ? frequencies.length / 2 : 1, told = new Float64Array(side * side * 2 * k);
    const spread = Math.sqrt((side * side - 1) / 12) / side;
    for (let p = 0; p < side * side; p++) {
      const row = (Math.floor(p / side) + 0.5) / side, column = ((p % side) + 0.5) / side;
      for (let i = 0; i < k; i++) {
        const angle = frequencies && 2 * Math.PI * stretch * (row * frequencies[i] + column * frequencies[k + i]);
        told[2 * k * p + i] = Math.fround(frequencies ? Math.sin(angle) : (row - 0.5) / spread);
        told[2 * k * p + k + i] = Math.fround(frequencies ? Math.cos(angle) : (column - 0.5) / spread);
      }
    }
    return told;
  };

  // Adam as the chapter writes it. Keras, and so the engine's rule, adds 1e-7 before it corrects the root; weights as small
  // as the chapter's have first slopes so small that this matters.
  const adam = (n) => {
    const v = new Float64Array(n), q = new Float64Array(n);
    let t = 0;
    return (w, g, rate) => {
      t++;
      const [first, second] = [1 - 0.9 ** t, 1 - 0.999 ** t];
      for (let i = 0; i < n; i++) {
        v[i] = 0.9 * v[i] + 0.1 * g[i];
        q[i] = 0.999 * q[i] + 0.001 * g[i] * g[i];
        w[i] -= (rate * v[i]) / first / (Math.sqrt(q[i] / second) + 1e-7);
      }
    };
  };

  // One training. next() makes a step, or asks for a chunk of the picture after a whole pass; so nothing takes long.
  // colours and told hold a row for each pixel; hidden, if given, a 1 for each pixel that is not to be learned.
  live.Painter = class {
    constructor({ start, told, colours, hidden, batch, rates }) {
      const n = colours.length / 3, [inputs] = [told.length / n];
      const sizes = [inputs, ...start.filter((_, i) => i % 2).map((bias) => bias.length)];
      Object.assign(this, { told, colours, batch, rates, hidden: hidden ?? new Uint8Array(n), n, inputs });
      this.network = new live.Network(sizes, { hidden: "relu", loss: "absolute", most: Math.max(batch, CHUNK) });
      this.network.layers.flat().forEach((part, i) => part.set(start[i]));
      this.rule = adam(this.network.w.length);
      this.random = live.random(1);
      this.order = Array.from({ length: n }, (_, p) => p).filter((p) => !this.hidden[p]);
      this.targets = new Float64Array(3 * batch);
      this.answers = new Float64Array(3 * n);
      this.costs = [];  // after each pass, the first before any: on the pixels shown to it, and on the hidden ones
      Object.assign(this, { pass: 0, at: 0, asked: 0, asking: true, ended: "" });
    }
    step(rows, rate) {  // by the pixels of these numbers; returns their cost before it
      const { network, told, colours, targets, inputs } = this;
      rows.forEach((p, k) => {
        for (let i = 0; i < inputs; i++) network.a[0][k * inputs + i] = told[p * inputs + i];
        for (let c = 0; c < 3; c++) targets[3 * k + c] = colours[3 * p + c];
      });
      const cost = network.backward(targets, rows.length);
      this.rule(network.w, network.g, rate);
      return cost;
    }
    ask(p, count) {  // for the colours of so many pixels from p on
      this.network.a[0].set(this.told.subarray(p * this.inputs, (p + count) * this.inputs));
      this.answers.set(this.network.forward(count).subarray(0, 3 * count), 3 * p);
    }
    next() {
      if (this.asking) {
        const count = Math.min(CHUNK, this.n - this.asked);
        this.ask(this.asked, count);
        this.asked += count;
        if (this.asked === this.n) this.look();
      } else if (!this.ended) {
        if (this.at === 0) this.random.shuffle(this.order);
        // Where fewer pixels are known, they come round again.
        const rows = Array.from({ length: this.batch }, (_, k) => this.order[(this.at * this.batch + k) % this.order.length]);
        const cost = this.step(rows, this.rates[this.pass]);
        this.at++;
        if (!Number.isFinite(cost)) this.ended = "lost";
        if (this.at * this.batch + this.batch > this.n) Object.assign(this, { at: 0, asked: 0, asking: true, pass: this.pass + 1 });
      }
    }
    look() {  // once the whole picture has been asked for
      const sums = [0, 0], counts = [0, 0];
      for (let p = 0; p < this.n; p++) {
        for (let c = 0; c < 3; c++) sums[this.hidden[p]] += Math.abs(this.answers[3 * p + c] - this.colours[3 * p + c]);
        counts[this.hidden[p]]++;
      }
      this.costs.push(sums.map((sum, i) => sum / counts[i]));
      this.asking = false;
      if (!Number.isFinite(this.costs.at(-1)[0])) this.ended = "lost";
      else if (this.pass === this.rates.length) this.ended = "done";
    }
    get settled() { return this.ended !== "" || (!this.asking && this.at === 0); }
  };

  // How far, as a share of the largest, answers after the chapter's own first steps are from the chapter's.
  live.redone = ({ rows, rate, answers, every }, painter) => {
    for (let k = 0; k < rows.length; k += painter.batch) painter.step(rows.subarray(k, k + painter.batch), rate);
    let most = 0;
    const largest = Math.max(...answers.map(Math.abs));
    for (let p = 0, i = 0; p < painter.n; p += every) {
      painter.ask(p, 1);
      for (let c = 0; c < 3; c++, i++) most = Math.max(most, Math.abs(painter.answers[3 * p + c] - answers[i]) / largest);
    }
    return most;
  };

  // A picture of a reader's own, cut to a square: its colours, side by side pixels. The file is read here and goes nowhere.
  // A VideoFrame hands out pixels as they are; what is read back from a canvas some browsers falsify. Where there is
  // none (a page over plain http, a browser set against fingerprinting), the figure does without a picture of one's own.
  const OVER = 4;  // so many pixels each way become one
  live.readable = () => "VideoFrame" in globalThis && "createImageBitmap" in globalThis;
  live.coloursOf = async (file, side) => {
    const whole = await createImageBitmap(file), least = Math.min(whole.width, whole.height), wide = OVER * side;
    const corner = [whole.width - least, whole.height - least].map((more) => Math.floor(more / 2));
    const size = { resizeWidth: wide, resizeHeight: wide, resizeQuality: "high" };
    const frame = new VideoFrame(await createImageBitmap(whole, ...corner, least, least, size), { timestamp: 0 });
    let format = "RGBA", raw;
    try {
      raw = new Uint8Array(frame.allocationSize({ format }));
      await frame.copyTo(raw, { format });
    } catch {
      format = frame.format;
      if (!/^(RGB|BGR)[AX]$/.test(format)) throw new Error("a picture in " + format);
      raw = new Uint8Array(frame.allocationSize());
      await frame.copyTo(raw);
    }
    frame.close();
    const colours = new Float64Array(3 * side * side), places = ["R", "G", "B"].map((letter) => format.indexOf(letter));
    for (let p = 0; p < wide * wide; p++) {
      const pixel = side * Math.floor(p / wide / OVER) + Math.floor((p % wide) / OVER);
      const opaque = format.endsWith("X") ? 1 : raw[4 * p + 3] / 255;  // on white
      for (let c = 0; c < 3; c++) colours[3 * pixel + c] += (opaque * raw[4 * p + places[c]] + 255 * (1 - opaque)) / OVER ** 2;
    }
    return colours;
  };

  live.kinds.painting = (body, state) => {
    const { side, batch } = state, n = side * side;
    const coloursOf = ({ values, bits }) => (bits === 8 ? Float64Array.from(live.bytes(values)) : live.floats(values));
    const maskOf = (text) => {
      const raw = live.bytes(text);
      return Uint8Array.from({ length: n }, (_, p) => (raw[p >> 3] >> (7 - (p & 7))) & 1);
    };
    const pictures = new Map(state.pictures.map((picture) => [picture.name, coloursOf(picture)]));
    const masks = new Map([["nothing", null], ...state.hidden.map(({ name, mask }) => [name, maskOf(mask)])]);
    const rates = live.floats(state.rates), frequencies = state.frequencies && live.doubles(state.frequencies);
    const arrays = state.arrays.map(live.floats);
    const startOf = (kind) => state.starts[kind].map((number) => arrays[number]);
    const toldBy = (kind, bandwidth) => live.told(side, kind === "waves" ? frequencies : null, bandwidth / state.bandwidth);
    const kinds = Object.keys(state.starts), OWN = "your own", TRAIN = `Train ${LEG} passes`;

    // What is chosen, and the run that follows from it.
    const chosen = { picture: state.pictures[0].name, kind: kinds[0], bandwidth: state.bandwidth, hidden: "nothing" };
    let painter, goal = 0, drawn = null, runs = [], notice = "";
    const nameOf = ({ kind, bandwidth, hidden }) =>
      (kind === "waves" ? `waves ${bandwidth}` : kind) + (hidden === "nothing" ? "" : `, ${hidden} hidden`);
    const begin = (said = "") => {
      loop.stop();
      goal = 0;
      notice = said && said + " ";
      drawn = null;
      painter = new live.Painter({
        start: startOf(chosen.kind), told: toldBy(chosen.kind, chosen.bandwidth), colours: pictures.get(chosen.picture),
        hidden: masks.get(chosen.hidden), batch, rates,
      });
      const name = nameOf(chosen), covered = masks.get(chosen.hidden) !== null;
      runs = live.earlier(runs, colors.length - 1);
      const free = colors.findIndex((_, look) => runs.every((run) => run.look !== look));
      runs.push({ name, covered, look: runs.find((run) => run.name === name)?.look ?? free, costs: painter.costs });
      drawTarget();
      show();
      loop.start();  // for the cost before it has learned anything
    };
    const training = () => loop.on && goal > 0;
    const work = () => {
      painter.next();
      return !(painter.settled && (painter.ended || painter.pass >= goal));
    };

    const pair = live.element(body, "div", { className: "dl-paper" });
    const place = (caption) => {
      const holder = live.element(pair, "div");
      holder.style.cssText = "width: calc(50% - 4px); text-align: center; line-height: 1.4";
      const [canvas, pen] = live.canvas(holder, 300, 300, "");
      canvas.style.width = "100%";
      pen.imageSmoothingEnabled = false;
      live.element(holder, "span", { textContent: caption, ariaHidden: "true" });  // the canvas says it, too
      return [canvas, pen];
    };
    const [target, targetPen] = place("to be painted"), [canvas, pen] = place("painted");
    const row = live.row(body, "Training");
    const train = live.button(row, TRAIN, () => {
      if (!training()) return toward(live.stopAfter(painter.costs.length - 1));
      loop.stop();
      show();
    });
    const one = live.button(row, "One pass", () => toward(Math.max(1, painter.costs.length)));
    live.button(row, "Start over", () => begin());

    const choose = (change, said) => { Object.assign(chosen, change); begin(said); };
    const choices = live.row(body, "What the network is told, and of what");
    const input = live.select(choices, "Told", kinds, () => choose({ kind: input.value }));
    const bandwidth = live.select(choices, "Bandwidth", state.bandwidths, () => choose({ bandwidth: Number(bandwidth.value) }));
    bandwidth.value = state.bandwidth;
    const hide = live.select(choices, "Hidden", [...masks.keys()], () => choose({ hidden: hide.value }));
    if (masks.size === 1) hide.parentElement.hidden = true;
    const another = (name) => {
      const gone = live.earlier(runs, 1).length ? "Curves of another picture are gone." : "";
      runs = [];
      choose({ picture: name }, gone);
    };
    const picture = live.select(choices, "Picture", [...pictures.keys()], () => {
      refused("");
      another(picture.value);
    });
    let refused = () => {};
    if (live.readable()) {
      const file = live.element(choices, "input", { type: "file", accept: "image/*", autocomplete: "off", hidden: true });
      live.button(choices, "Choose your own", () => file.click());
      const note = (text) => {
        const element = live.element(body, "p", { textContent: text });
        element.style.cssText = "margin: 2px 4px 0; line-height: 1.4";
        return element;
      };
      const alert = note("");
      alert.setAttribute("role", "alert");
      note("Your picture never leaves this browser.");
      refused = (text) => { alert.textContent = text; };
      file.onchange = async () => {
        if (!file.files.length) return;
        const [{ name }] = file.files;
        refused("");
        try {
          const colours = await live.coloursOf(file.files[0], side);
          if (!pictures.has(OWN)) live.element(picture, "option", { textContent: OWN, value: OWN });
          pictures.set(OWN, colours);
          picture.value = OWN;
          another(OWN);
        } catch {
          refused(`${name} is no picture that this browser can read. The one before it stays.`);
        }
        file.value = "";  // so that the same file can be chosen again
      };
    }
    const say = live.voice(body);

    const small = document.createElement("canvas");
    small.width = small.height = side;
    const smallPen = small.getContext("2d"), image = smallPen.createImageData(side, side);
    const paint = (on, colours, mask) => {
      for (let p = 0; p < n; p++) {
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = colours[3 * p + c];
        image.data[4 * p + 3] = mask?.[p] ? 0 : 255;
      }
      smallPen.putImageData(image, 0, 0);
      on.drawImage(small, 0, 0, 300, 300);
    };
    const drawTarget = () => {
      const mask = masks.get(chosen.hidden);
      // A hatched paper, seen where pixels are missing.
      Object.assign(targetPen, { fillStyle: "#808080", strokeStyle: "#b0b0b0", lineWidth: 1.5 });
      targetPen.fillRect(0, 0, 300, 300);
      targetPen.beginPath();
      for (let x = -300; x < 300; x += 6) {
        targetPen.moveTo(x, 300);
        targetPen.lineTo(x + 300, 0);
      }
      targetPen.stroke();
      paint(targetPen, pictures.get(chosen.picture), mask);
      target.setAttribute("aria-label", `To be painted: ${chosen.picture}` + (mask ? `. Hidden from the network, and hatched here: ${chosen.hidden}.` : "."));
    };
    // A line around a hole, if it is one and not a thousand.
    const outline = (mask) => {
      const lines = [];
      for (let p = 0; p < n; p++) {
        const [x, y] = [p % side, Math.floor(p / side)];
        if (x && mask[p] !== mask[p - 1]) lines.push([x, y, x, y + 1]);
        if (y && mask[p] !== mask[p - side]) lines.push([x, y, x + 1, y]);
      }
      if (lines.length > 8 * side) return;
      pen.beginPath();
      for (const line of lines) {
        const [x0, y0, x1, y1] = line.map((value) => (300 * value) / side);
        pen.moveTo(x0, y0);
        pen.lineTo(x1, y1);
      }
      for (const [color, width] of [["#000", 3], ["#fff", 1.4]]) {
        Object.assign(pen, { strokeStyle: color, lineWidth: width, lineCap: "square" });
        pen.stroke();
      }
    };
    const drawPainting = () => {
      if (painter.costs.length < 2) {
        pen.fillStyle = "#e6e6e6";
        pen.fillRect(0, 0, 300, 300);
        Object.assign(pen, { fillStyle: "#333", font: "24px DejaVu Sans, Verdana, sans-serif", textAlign: "center" });
        return pen.fillText("not trained yet", 150, 158);
      }
      paint(pen, painter.answers);
      if (masks.get(chosen.hidden)) outline(masks.get(chosen.hidden));
    };

    // The cost after each pass of this run, and fainter of those before it.
    const WIDE = 340, HIGH = 220, BOX = [52, 10, 328, 178];
    const below = live.element(body, "div", { className: "dl-paper" });
    const [plot, plotPen] = live.canvas(below, WIDE, HIGH, "");
    const legend = live.element(below, "ul");
    legend.setAttribute("role", "list");
    legend.style.cssText = "flex: 1 1 100%; font-size: 0.8em; list-style: none; margin: 0; padding: 0 4px";
    const begun = () => runs.filter((run) => run.costs.length > 1);
    // The chapter's runs were shown the whole of its own picture; nothing is compared before there is something.
    const marks = () => {
      const same = chosen.picture === state.pictures[0].name && chosen.hidden === "nothing";
      return same && begun().length ? state.marks : [];
    };
    let last = Math.min(rates.length, LEG), high = 200;  // where the axes end; they only grow
    const drawCurves = () => {
      const long = Math.max(...runs.map((run) => run.costs.length - 1));
      last = Math.max(last, Math.min(rates.length, [20, 40, 60, 100, 200, 500].find((end) => end >= long) ?? rates.length));
      const values = [...runs.flatMap((run) => run.costs.slice(1).flat()), ...marks().map((mark) => mark.cost)];
      high = Math.max(high, Math.min(1000, 50 * Math.ceil(Math.max(...values.filter(Number.isFinite), 0) / 50)));
      plotPen.clearRect(0, 0, WIDE, HIGH);
      const [across, along] = live.axes(plotPen, BOX, [0, last], [0, high], { xlabel: "pass", ylabel: "cost" });
      const [left, top, right, bottom] = BOX;
      plotPen.save();
      plotPen.beginPath();
      plotPen.rect(left, top - 5, right - left + 5, bottom - top + 5);
      plotPen.clip();
      for (const run of runs) {
        const now = run === runs.at(-1);
        plotPen.globalAlpha = now ? 1 : 0.45;
        plotPen.strokeStyle = plotPen.fillStyle = colors[run.look];
        [0, 1].forEach((which) => {
          const points = run.costs.map((pair, pass) => [across(pass), along(pair[which])]).slice(1).filter(([, y]) => Number.isFinite(y));
          const strong = run.covered === (which === 1);  // what counts is the cost on the hidden pixels
          plotPen.lineWidth = strong ? 2.4 : 1;
          plotPen.setLineDash(run.covered ? [] : dashOf(run.look));
          line(points);
          plotPen.setLineDash([]);
          if (now && points.length) dot(...points.at(-1), strong ? 4 : 2.5);
        });
      }
      plotPen.globalAlpha = 1;
      plotPen.strokeStyle = "#000";
      plotPen.lineWidth = 1.5;
      for (const { pass, cost } of marks()) {
        const [x, y] = [across(pass), along(cost)];
        if (pass > last) continue;
        line([[x - 4, y - 4], [x + 4, y + 4]]);
        line([[x - 4, y + 4], [x + 4, y - 4]]);
      }
      plotPen.restore();
    };
    const line = (points) => {
      plotPen.beginPath();
      points.forEach(([x, y], k) => plotPen[k ? "lineTo" : "moveTo"](x, y));
      plotPen.stroke();
    };
    const dot = (x, y, radius) => {
      plotPen.beginPath();
      plotPen.arc(x, y, radius, 0, 7);
      plotPen.fill();
    };
    const dashOf = (look) => dashes[look % dashes.length];
    const short = (cost) => (Number.isFinite(cost) ? cost.toFixed(cost < 10 ? 1 : 0) : "not finite");
    const told = ({ name, covered, costs }) => {
      const [shown, hidden] = costs.at(-1).map(short);
      return `${name}: ${covered ? `${shown} shown, ${hidden} hidden` : `cost ${shown}`}, pass ${costs.length - 1}`;
    };
    const sample = (run) => {  // a piece of the curve, or of two, or a cross
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const piece = (y, width, color, dash = "") =>
        `<path d="M0 ${y}h32" stroke="${color}" stroke-width="${width}" stroke-dasharray="${dash}"/>`;
      const stroke = !run
        ? '<path d="M12 4l8 8m0-8l-8 8" stroke="#000" stroke-width="1.5"/>'
        : run.covered ? piece(5, 2.6, colors[run.look]) + piece(12, 1, colors[run.look])
        : piece(8, 2.6, colors[run.look], dashOf(run.look));
      for (const [name, value] of Object.entries({ width: 24, height: 16, "aria-hidden": "true" })) svg.setAttribute(name, value);
      svg.innerHTML = stroke;
      svg.style.cssText = "flex: none; margin-top: 0.1em";
      return svg;
    };
    const writeLegend = () => {
      const texts = begun().reverse().map((run) => [run, told(run)]);
      const covered = begun().findLast((run) => run.covered);
      if (covered) texts.push([covered, "strong: on the hidden pixels, thin: on those shown"]);
      if (marks().length) texts.push([null, `the chapter’s own runs (${state.marked})`]);
      const lines = texts.map(([run, text]) => {
        const entry = document.createElement("li");
        entry.style.cssText = "display: flex; gap: 8px; margin: 0; line-height: 1.4";
        entry.append(sample(run), text);
        return entry;
      });
      legend.replaceChildren(...lines);
    };

    const inWords = () => {
      if (!painter.costs.length) return "Not begun.";
      const [cost, lost] = painter.costs.at(-1), pass = painter.costs.length - 1;
      if (painter.ended === "lost") return `In pass ${pass + 1} the cost became infinite or no number at all. The run has ended.`;
      return `Pass ${pass} of ${rates.length}: cost ${cost.toFixed(1)}` +
        (Number.isFinite(lost) ? ` on the pixels it is shown, ${lost.toFixed(1)} on those hidden from it.` : ".") +
        (painter.ended === "done" ? " That was the last." : "");
    };
    const show = () => {
      const latest = painter.costs.at(-1) ?? painter;
      if (latest !== drawn) {  // at most once a pass
        drawn = latest;
        drawPainting();
        drawCurves();
        writeLegend();
      }
      const words = notice + inWords();
      const curves = begun().map(told).join("; ") || "None yet";
      const rest = painter.costs.length > 1 ? inWords() : "Not trained yet.";
      canvas.setAttribute("aria-label", `What the network paints, told ${nameOf(chosen)}. ` + (training() ? "It is being trained." : rest));
      plot.setAttribute("aria-label", "Cost after each pass. " + (training() ? "It is being trained." : curves + "."));
      say(words, training() ? "Training." : "");
      train.textContent = training() ? "Pause" : TRAIN;
      for (const button of [train, one]) button.setAttribute("aria-disabled", painter.ended !== "");
      bandwidth.parentElement.hidden = chosen.kind !== "waves";
    };
    const loop = live.loop(body.parentElement, work, show, () => 20);
    const toward = (pass) => {
      if (painter.ended) return;
      goal = pass;
      notice = "";
      loop.start();
      show();
    };

    begin();

    return {
      // How far the answers after the chapter's own first steps are from the chapter's, as a share of the largest.
      check: () => Math.max(...Object.entries(state.first).map(([kind, { rows, answers, every }]) => live.redone(
        { rows: new Uint16Array(live.bytes(rows).buffer), rate: rates[0], answers: live.floats(answers), every },
        new live.Painter({ start: startOf(kind), told: toldBy(kind, state.bandwidth), colours: pictures.get(state.pictures[0].name), batch, rates }),
      ))),
      now: () => {
        const [cost, lost] = painter.costs.at(-1) ?? [NaN, NaN];
        return { pass: Math.max(0, painter.costs.length - 1), cost, hidden: lost, told: chosen.kind, bandwidth: chosen.bandwidth, without: chosen.hidden, picture: chosen.picture, on: training() };
      },
    };
  };
})();
