// Maps of latent spaces side by side, each with its decoder, which draws what is at a place. All that is shown follows from
// the place in each map; a way between two codes moves all places at once.
"use strict";
(() => {
  const live = dlLive;
  const RUNGS = 200, STEPS = 40;  // of the sliders: of a coordinate, and of the way
  const WALK = 5000;  // milliseconds for a whole way

  // Two decimals, with a minus sign, and no sign for what is shown as zero.
  live.decimals = (value, digits = 2) => live.minus(value.toFixed(digits).replace(/^-(?=[0.]*$)/, ""));

  // A latent space: a decoder, and the codes of images whose digits are known.
  live.latentSpace = ({ decoder, codes }, labels) => {
    const network = live.unpack(decoder), flat = live.floats(codes);
    const code = (i) => [flat[2 * i], flat[2 * i + 1]];
    const distance = (i, [x, y]) => Math.hypot(flat[2 * i] - x, flat[2 * i + 1] - y);
    const answer = (place) => {
      network.a[0].set(place);
      return network.forward(1);
    };
    const nearest = (place, count = 3) => {
      const found = Array.from(labels, (_, i) => [i, distance(i, place)]);
      return found.sort((one, other) => one[1] - other[1]).slice(0, count);
    };
    // The codes where a way begins and ends.
    const ends = (from, to) => {
      const start = labels.indexOf(from), next = labels.indexOf(to, from === to ? start + 1 : 0);
      return [code(start), code(next < 0 ? start : next)];
    };
    const told = (place) => {
      const near = nearest(place);
      return `at (${place.map((value) => live.decimals(value)).join(", ")}); nearest are codes of ` +
        `${near.map(([i]) => labels[i]).join(", ")} (within ${live.decimals(near.at(-1)[1])})`;
    };
    return { answer, nearest, ends, told };
  };
  live.between = ([start, end], share) => start.map((value, k) => (1 - share) * value + share * end[k]);

  // Ink from 0 to 1 on white paper, as the bytes of a picture.
  live.paper = (answers, bytes) => {
    answers.forEach((ink, p) => {
      const grey = Math.round(255 * (1 - Math.min(1, Math.max(0, ink))));
      bytes.set([grey, grey, grey, 255], 4 * p);
    });
    return bytes;
  };

  live.kinds.latent = (body, state, picture) => {
    const kinds = [...new Set(state.labels)].sort();
    let from = kinds[0], to = kinds.at(-1), share = 0.5, paused = false;
    const rng = live.random(1);
    body.classList.add("dl-latent");
    const panels = live.element(body, "div", { className: "dl-panels" });

    const maps = state.maps.map((map) => {
      const [width, height] = map.pixels, [left, top, right, bottom] = map.box, [[x0, x1], [y0, y1]] = map.view;
      const space = live.latentSpace(map, state.labels);
      const panel = live.element(panels, "div", { className: "dl-panel" });
      panel.setAttribute("role", "group");
      panel.setAttribute("aria-label", map.name);
      live.element(panel, "div", { className: "dl-name", textContent: map.name, ariaHidden: "true" });
      const paper = live.element(panel, "div", { className: "dl-paper" });
      const [canvas, pen] = live.canvas(paper, width, height, "");
      const [rows, columns] = map.shape, size = 140, tall = (size * rows) / columns;
      const [easel, brush] = live.canvas(paper, size, tall, "");
      easel.style.width = "";
      const small = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
      const inks = small.getContext("2d"), pixels = inks.createImageData(columns, rows);
      const ground = new Image();
      const across = (x) => left + ((x - x0) / (x1 - x0)) * (right - left);
      const along = (y) => bottom - ((y - y0) / (y1 - y0)) * (bottom - top);
      const dot = ([x, y], radius) => {
        pen.beginPath();
        pen.arc(across(x), along(y), radius, 0, 7);
        pen.fill();
        pen.stroke();
      };
      const own = { name: map.name, place: [0, 0], drawn: [], ends: [], view: map.view, told: () => space.told(own.place) };

      own.draw = () => {
        pen.clearRect(0, 0, width, height);
        if (ground.complete) pen.drawImage(ground, 0, 0, width, height);
        pen.save();
        pen.beginPath();
        pen.rect(left, top, right - left, bottom - top);
        pen.clip();
        for (const [color, thickness] of [["#fff", 4.5], ["#000", 1.5]]) {
          pen.strokeStyle = color;
          pen.lineWidth = thickness;
          pen.beginPath();
          own.ends.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](across(x), along(y)));
          pen.stroke();
        }
        pen.fillStyle = "#fff";
        for (const place of own.drawn) dot(place, 2.5);
        pen.lineWidth = 2;
        dot(own.place, 6.5);
        pen.fillStyle = "#000";
        pen.strokeStyle = "#fff";
        for (const place of own.ends) dot(place, 4.5);
        pen.restore();
        live.paper(space.answer(own.place), pixels.data);
        inks.putImageData(pixels, 0, 0);
        brush.imageSmoothingEnabled = false;
        brush.drawImage(small, 0, 0, size, tall);
        brush.strokeStyle = "#bbb";
        brush.strokeRect(0.5, 0.5, size - 1, tall - 1);
        sliders.forEach((slider, k) => slider.put(rung(k)));
      };
      own.put = (place) => {
        own.place = place.map((value, k) => Math.min(Math.max(value, map.view[k][0]), map.view[k][1]));
        own.draw();
      };
      own.way = () => { own.ends = space.ends(from, to); };
      own.label = (text) => {
        canvas.setAttribute("aria-label", `Map of the ${map.name} latent space, with the codes of images. ${text}`);
        easel.setAttribute("aria-label", `What the ${map.name} decoder draws there. ${text}`);
        own.show();
      };
      own.show = () => { caption.textContent = own.told(); };  // at each step of a walk, which is not read out
      own.off = () => {  // by how much pixels differ from those that the chapter's run has seen
        const probes = live.floats(map.probes);
        let p = 0, most = 0;
        map.places.forEach((place, k) => {
          const answers = space.answer(place);
          for (let i = k; i < answers.length; i += map.places.length) most = Math.max(most, Math.abs(answers[i] - probes[p++]));
        });
        return p === probes.length ? most : NaN;
      };

      const rung = (k) => Math.round((RUNGS * (own.place[k] - map.view[k][0])) / (map.view[k][1] - map.view[k][0]));
      const at = (k, r) => map.view[k][0] + (r / RUNGS) * (map.view[k][1] - map.view[k][0]);
      const said = (k) => (r) => live.decimals(r === rung(k) ? own.place[k] : at(k, r));
      const row = live.row(panel, `Place in the ${map.name} map`);
      const sliders = ["z₁", "z₂"].map((name, k) => live.slider(row, name, { min: 0, max: RUNGS, value: rung(k) }, said(k), (r) => {
        halt();
        own.put(k ? [own.place[0], at(1, r)] : [at(0, r), own.place[1]]);
        tell([own]);
      }));
      const caption = live.element(panel, "p", { className: "dl-said", ariaHidden: "true" });

      const near = ([u, v]) => Math.hypot(u - across(own.place[0]), v - along(own.place[1])) < 30;
      live.draggable(canvas, width, height, near, ([u, v], rests) => {
        halt();
        own.put([x0 + ((u - left) / (right - left)) * (x1 - x0), y0 + ((bottom - v) / (bottom - top)) * (y1 - y0)]);
        if (rests) tell([own]);
      });
      ground.onload = () => own.draw();
      ground.src = map.ground;
      return own;
    });

    // What has moved is told when it rests; `busy` instead, once, when a walk begins.
    const tell = (moved, busy = "") => {
      for (const map of moved) map.label(busy || map.told());
      output.textContent = busy || moved.map((map) => `${map.name}: ${map.told()}.`).join(" ");
      play.textContent = loop.on ? "Pause" : "Play";
    };
    const halt = () => {  // where one map goes its own way
      if (!loop.on) return;
      loop.stop();
      tell(maps);
    };
    const step = () => {
      for (const map of maps) {
        map.put(live.between(map.ends, share));
        map.show();
      }
      slider.put(Math.round(STEPS * share));
    };
    const walk = () => {
      loop.stop();
      paused = false;
      for (const map of maps) map.way();
      step();
      tell(maps);
    };

    let begun = 0, first = 0;
    const loop = live.loop(body.parentElement, () => {
      share = Math.min(1, first + (performance.now() - begun) / WALK);
      return share < 1;
    }, () => {
      if (loop.on || share === 1) step();
      if (!loop.on) { paused = false; tell(maps); }
    }, () => 1);

    const ways = live.row(body, "From one digit to another");
    const selects = [["From", from], ["to", to]].map(([text, kind], k) => {
      const select = live.select(ways, text, kinds, () => {
        if (k) to = select.value;
        else from = select.value;
        walk();
      });
      select.value = kind;
      return select;
    });
    const slider = live.slider(ways, "Way", { min: 0, max: STEPS, value: STEPS * share },
      (steps) => `${Math.round(100 * (loop.on ? share : steps / STEPS))} %`, (steps) => { share = steps / STEPS; walk(); });
    const play = live.button(ways, "Play", () => {
      if (loop.on) {
        loop.stop();
        paused = true;
        tell(maps);
        return;
      }
      first = paused ? share : 0;
      begun = performance.now();
      loop.start();
      tell(maps, `on the way from ${from} to ${to}`);
    });
    const row = live.row(body);
    live.button(row, "Draw from N(0, I)", () => {
      loop.stop();
      let place;
      do place = [rng.normal(), rng.normal()];
      while (!maps.every((map) => place.every((value, k) => value >= map.view[k][0] && value <= map.view[k][1])));
      for (const map of maps) {
        map.drawn.push(place);
        map.put(place);
      }
      tell(maps);
    });
    live.button(row, "Reset", () => {
      [from, to, share] = [kinds[0], kinds.at(-1), 0.5];
      selects[0].value = from;
      selects[1].value = to;
      for (const map of maps) map.drawn.length = 0;
      walk();
    });
    body.append(panels);  // below what moves all maps
    const output = live.element(body, "p", { className: "dl-unseen" });
    output.setAttribute("role", "status");
    walk();

    return {
      check: () => Math.max(...maps.map((map) => map.off())),
      now: () => ({ from, to, share, on: loop.on, places: maps.map((map) => map.place), drawn: maps[0].drawn.length, told: maps.map((map) => map.told()) }),
    };
  };
})();
