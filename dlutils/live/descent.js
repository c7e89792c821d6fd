// Descents side by side on a chapter's own loss surface. All that is drawn follows from the start, the rates, which rules
// are chosen, and how many updates have been made.
"use strict";
(() => {
  const live = dlLive;
  const colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"];
  const dashes = [[], [6, 4], [8, 3, 2, 3], [2, 3], [10, 3], [4, 2]];

  // What became of a descent, in words. Heights are told as losses, or above the lowest one if that is known; what is
  // smaller than the error of the surface cannot be told.
  live.fate = (losses, left, { scale, lowest = null, error = 0 }) => {
    const t = losses.length - 1, last = losses[t];
    if (left) return `left the map at update ${t + 1}`;
    if (t === 0) return "has not begun";
    const tail = losses.slice(-Math.min(21, losses.length)), high = Math.max(...tail), low = Math.min(...tail);
    const rises = tail.filter((value, k) => k > 0 && value > tail[k - 1] + 1e-12 * scale).length;
    const height = (loss) => {
      if (lowest === null) return live.number(loss);
      return loss - lowest < error ? `less than ${live.number(error, 1)}` : live.number(loss - lowest, 2);
    };
    const above = lowest === null ? "" : " above the lowest";
    if (high - low > 1e-3 * scale && rises >= 5) return `goes to and fro between ${height(low)} and ${height(high)}${above}`;
    return `${high - low < 1e-6 * scale && t >= 20 ? "rests" : "is"} at ${lowest === null ? "loss " : ""}${height(last)}${above}`;
  };

  live.kinds.descent = (body, state, picture) => {
    const [width, height] = state.pixels, [left, top, right, bottom] = state.box, [[x0, x1], [y0, y1]] = state.view;
    const surface = new live.Surface(live.doubles(state.coefficients), state.size, state.limits);
    const paper = live.element(body, "div", { className: "dl-paper" });
    const [canvas, pen] = live.canvas(paper, width, height, "");
    const ground = new Image();
    let start = [...state.start], made = 0;
    const across = (x) => left + ((x - x0) / (x1 - x0)) * (right - left);
    const along = (y) => bottom - ((y - y0) / (y1 - y0)) * (bottom - top);
    const walks = state.walks.map((walk) => ({ ...walk, rung: 0 }));

    const compute = () => {
      for (const walk of walks) {
        const run = live.descent(surface, walk.name, walk.rate * 10 ** (walk.rung / 10), start);
        while (run.path.length <= state.updates && run.step());
        Object.assign(walk, { path: run.path, left: run.left, out: run.place, losses: run.path.map((place) => surface.at(...place)[0]) });
      }
    };
    const told = (walk) => live.fate(walk.losses.slice(0, made + 1), walk.left && made >= walk.path.length, state);

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
        const beyond = walk.left && made >= walk.path.length ? [walk.out] : [];
        pen.strokeStyle = pen.fillStyle = state.ink ?? colors[k];
        pen.setLineDash(dashes[k]);
        pen.lineWidth = 2;
        pen.beginPath();
        [...path, ...beyond].forEach((place, t) => pen[t ? "lineTo" : "moveTo"](across(place[0]), along(place[1])));
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
      canvas.setAttribute("aria-label", `Map of the loss. Start at ${start.map((value) => live.minus(value.toFixed(2))).join(", ")}. ` +
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
      // Where all have left the map there is nothing more to see.
      return made < state.updates && walks.some((walk) => walk.box.checked && !(walk.left && made >= walk.path.length));
    };
    const loop = live.loop(body.parentElement, work, show, () => 1);

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
    live.button(row, "Rewind", () => { loop.stop(); made = 0; show(); });
    live.button(row, "Reset", () => {
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

    // The start is put on places a two-hundredth of the map apart, or a little less, which have short names.
    const steps = state.view.map(([low, high]) => {
      const power = 10 ** Math.floor(Math.log10((high - low) / 200));
      return power * [5, 2, 1].find((factor) => factor * power <= (high - low) / 200);
    });
    const places = live.row(body, "Start");
    const sliders = state.names.map((name, k) => live.slider(
      places,
      `Start ${name}`,
      { min: Math.ceil(state.view[k][0] / steps[k]), max: Math.floor(state.view[k][1] / steps[k]), value: start[k] / steps[k] },
      () => live.minus(start[k].toFixed(2)),
      (rung) => {
        start[k] = rung * steps[k];
        again();
      },
    ));
    const put = (place) => {
      start = [...place];
      sliders.forEach((slider, k) => slider.put(start[k] / steps[k]));
      again();
    };

    walks.forEach((walk, k) => {
      const row = live.row(body, walk.name);
      row.classList.toggle("dl-rule", walks.length > 1);
      walk.box = live.tick(row, walk.name, walk.shown, show);
      const swatch = live.element(walk.box.parentElement, "span", { className: "dl-swatch" });
      swatch.style.background = state.ink ?? colors[k];
      if (walks.length === 1) row.firstChild.hidden = true;
      const rate = (rung) => live.number(walk.rate * 10 ** (rung / 10));
      walk.slider = live.slider(row, walks.length === 1 ? "Rate" : "rate", { min: -state.rungs, max: state.rungs, value: 0 }, rate, (rung) => {
        walk.rung = rung;
        walk.box.checked = true;
        again();
      });
      if (walks.length > 1) walk.slider.setAttribute("aria-label", `rate of ${walk.name}`);
      walk.said = live.element(row, "span", { className: "dl-fate" });
    });

    const here = ([u, v]) => {
      const shares = [(u - left) / (right - left), (bottom - v) / (bottom - top)];
      return state.view.map(([low, high], k) => {
        const value = low + Math.min(Math.max(shares[k], 0), 1) * (high - low);
        return Math.min(Math.max(Math.round(value / steps[k]), Math.ceil(low / steps[k])), Math.floor(high / steps[k])) * steps[k];
      });
    };
    const near = ([u, v]) => Math.hypot(u - across(start[0]), v - along(start[1])) < 30;
    const onMap = ([u, v]) => u > left - 12 && u < right + 12 && v > top - 12 && v < bottom + 12;
    live.draggable(canvas, width, height, near, (spot) => { if (onMap(spot)) put(here(spot)); });
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
      now: () => ({ made, start, ends: walks.map(({ path }) => path[Math.min(made, path.length - 1)]), on: loop.on }),
    };
  };
})();
