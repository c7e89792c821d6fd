// Descents side by side on a chapter's own loss surface. All that is drawn follows from the start, the rates, which rules
// are chosen, and how many updates have been made.
"use strict";
(() => {
  const live = dlLive;
  const colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"];
  const dashes = [[], [6, 4], [8, 3, 2, 3], [2, 3], [10, 3], [4, 2]];
  const LADDER = 20;  // rungs of a tenth of a power of ten, on either side of the chapter's own rate

  // What became of a descent, in words; path holds the losses beside the places.
  live.fate = (losses, left, scale) => {
    const t = losses.length - 1, last = losses[t];
    if (left) return `left the map at update ${t + 1}`;
    if (t === 0) return "has not begun";
    const tail = losses.slice(-Math.min(21, losses.length)), high = Math.max(...tail), low = Math.min(...tail);
    const rises = tail.filter((value, k) => k > 0 && value > tail[k - 1] + 1e-12 * scale).length;
    if (high - low > 1e-3 * scale && rises >= 5) {
      return `goes to and fro, at losses from ${live.number(low)} to ${live.number(high)}`;
    }
    return high - low < 1e-6 * scale && t >= 20 ? `rests at loss ${live.number(last)}` : `is at loss ${live.number(last)}`;
  };

  live.kinds.descent = (body, state, picture) => {
    const [width, height] = state.pixels, [left, top, right, bottom] = state.box, [[x0, x1], [y0, y1]] = state.view;
    const surface = new live.Surface(live.doubles(state.coefficients), state.size, state.limits);
    const paper = live.element(body, "div", { className: "dl-paper" });
    const [canvas, pen] = live.canvas(paper, width, height, "");
    canvas.style.cursor = "crosshair";
    const ground = new Image();
    let start = [...state.start], made = 0;
    const across = (x) => left + ((x - x0) / (x1 - x0)) * (right - left);
    const along = (y) => bottom - ((y - y0) / (y1 - y0)) * (bottom - top);
    const walks = state.walks.map((walk) => ({ ...walk, rung: 0 }));

    const compute = () => {
      for (const walk of walks) {
        const run = live.descent(surface, walk.name, walk.rate * 10 ** (walk.rung / 10), start);
        while (run.path.length <= state.updates && run.step());
        Object.assign(walk, { path: run.path, left: run.left, losses: run.path.map((place) => surface.at(...place)[0]) });
      }
    };
    const told = (walk) => live.fate(walk.losses.slice(0, made + 1), walk.left && made >= walk.path.length, state.scale);

    const draw = () => {
      pen.clearRect(0, 0, width, height);
      if (ground.complete) pen.drawImage(ground, 0, 0, width, height);
      pen.save();
      pen.beginPath();
      pen.rect(left, top, right - left, bottom - top);
      pen.clip();
      walks.forEach((walk, k) => {
        if (!walk.box.checked) return;
        const path = walk.path.slice(0, made + 1);
        pen.strokeStyle = pen.fillStyle = state.ink ?? colors[k];
        pen.setLineDash(dashes[k]);
        pen.lineWidth = 2;
        pen.beginPath();
        path.forEach((place, t) => pen[t ? "lineTo" : "moveTo"](across(place[0]), along(place[1])));
        pen.stroke();
        pen.setLineDash([]);
        if (state.updates <= 200) for (const place of path) dot(...place, 2.2);
        if (made) {
          pen.strokeStyle = "#fff";
          dot(...path.at(-1), 5.5);
          pen.stroke();
        }
      });
      pen.fillStyle = "#fff";
      pen.strokeStyle = "#000";
      dot(...start, 6);
      pen.stroke();
      pen.restore();
    };
    const dot = (x, y, radius) => {
      pen.beginPath();
      pen.arc(across(x), along(y), radius, 0, 7);
      pen.fill();
    };
    const tell = () => {
      const chosen = walks.filter((walk) => walk.box.checked);
      for (const walk of walks) walk.said.textContent = walk.box.checked ? told(walk) : "";
      const sentences = chosen.map((walk) => `${walk.name} ${told(walk)}.`).join(" ");
      const updates = made === 1 ? "1 update" : `${made.toLocaleString("en")} updates`;
      canvas.setAttribute("aria-label", `Map of the loss. Start at ${start.map((v) => v.toFixed(2)).join(", ")}. ` +
        (loop.on ? "The descents are under way." : `After ${updates}: ${sentences}`));
      say(`${updates} of ${state.updates.toLocaleString("en")}.`, loop.on ? "Running." : "", loop.on ? "" : sentences);
      run.textContent = loop.on ? "Pause" : "Run";
      step.setAttribute("aria-disabled", made >= state.updates);
    };
    const show = () => { draw(); tell(); };
    const again = () => { compute(); show(); };

    // A run takes three seconds, whatever the number of updates.
    let begun = 0, from = 0;
    const work = () => {
      made = Math.min(state.updates, from + Math.max(1, Math.floor(((performance.now() - begun) / 3000) * state.updates)));
      return made < state.updates;
    };
    const loop = live.loop(body.parentElement, work, show, 1);

    const axis = (k) => ({ min: 0, max: 200, value: Math.round((200 * (start[k] - state.view[k][0])) / (state.view[k][1] - state.view[k][0])) });
    const at = (k, rung) => state.view[k][0] + (rung / 200) * (state.view[k][1] - state.view[k][0]);
    const places = live.row(body, "Start");
    const sliders = state.names.map((name, k) => live.slider(places, `Start ${name}`, axis(k), (rung) => at(k, rung).toFixed(2), (rung) => {
      start[k] = at(k, rung);
      again();
    }));
    const put = (place) => {
      start = place.map((value, k) => Math.min(Math.max(value, state.view[k][0]), state.view[k][1]));
      sliders.forEach((slider, k) => slider.put(axis(k).value));
      again();
    };

    walks.forEach((walk, k) => {
      const row = live.row(body, walk.name);
      walk.box = live.tick(row, walk.name, walk.shown, show);
      const swatch = live.element(walk.box.parentElement, "span", { className: "dl-swatch" });
      swatch.style.background = state.ink ?? colors[k];
      if (walks.length === 1) row.firstChild.hidden = true;
      const rate = (rung) => live.number(walk.rate * 10 ** (rung / 10));
      const name = walks.length === 1 ? "Rate" : `rate of ${walk.name}`;
      walk.slider = live.slider(row, name, { min: -LADDER, max: LADDER, value: 0 }, rate, (rung) => { walk.rung = rung; again(); });
      walk.said = live.element(row, "span", { className: "dl-fate" });
    });

    const row = live.row(body);
    const run = live.button(row, "Run", () => {
      if (loop.on) loop.stop();
      else {
        from = made < state.updates ? made : 0;
        made = from;
        begun = performance.now();
        loop.start();
      }
      show();
    });
    const step = live.button(row, "Step", () => {
      loop.stop();
      made = Math.min(state.updates, made + 1);
      show();
    });
    live.button(row, "Back to the start", () => { loop.stop(); made = 0; show(); });
    live.button(row, "As at first", () => {
      loop.stop();
      made = 0;
      for (const walk of walks) {
        walk.rung = 0;
        walk.slider.put(0);
        walk.box.checked = walk.shown;
      }
      put(state.start);
    });
    const voice = live.voice(body), details = live.element(body, "p", { className: "dl-unseen" });
    details.setAttribute("role", "status");
    const say = (text, busy, more) => { voice(text, busy); details.textContent = more; };

    let dragging = false;
    const here = (event) => {
      const [u, v] = live.spot(canvas, width, height, event);
      return [x0 + ((u - left) / (right - left)) * (x1 - x0), y0 + ((bottom - v) / (bottom - top)) * (y1 - y0)];
    };
    canvas.onclick = (event) => put(here(event));  // also a tap; a finger that moves scrolls the page
    canvas.onpointerdown = (event) => {
      if (event.pointerType !== "mouse") return;
      dragging = true;
      canvas.setPointerCapture(event.pointerId);
      put(here(event));
    };
    canvas.onpointermove = (event) => { if (dragging) put(here(event)); };
    canvas.onpointerup = canvas.onpointercancel = () => { dragging = false; };
    ground.onload = draw;
    ground.src = state.ground;
    again();

    return {
      // How far, as a share of the map, each descent ends from where the chapter's own run ended.
      check: () => Math.max(...state.walks.map((walk) => {
        const own = live.descent(surface, walk.name, walk.rate, state.start);
        for (let t = 0; t < state.updates && own.step(); t++);
        return Math.max(Math.abs(own.place[0] - walk.end[0]) / (x1 - x0), Math.abs(own.place[1] - walk.end[1]) / (y1 - y0));
      })),
      now: () => ({ made, start, ends: walks.map((walk) => walk.path[Math.min(made, walk.path.length - 1)]), on: loop.on }),
    };
  };
})();
