// A network that learns to part two classes of the plane: its answer everywhere, the lines of its first units, its losses.
"use strict";
(() => {
  const live = dlLive;
  const GRID = 60, RECORDS = 240, BLUE = [0, 114, 178], RED = [213, 94, 0];
  const SPEEDS = [1, 10, 100, 1000];

  // A run of training, without a page. `chapter` holds the run that the page's own chapter made; settings that equal its
  // begin at its weights.
  live.training = (state, settings) => {
    const set = state.sets.find((one) => one.name === settings.set);
    const rng = live.random(1000 * settings.draw + 1), [low, high] = set.limits.map((pair) => pair[1] - pair[0]);
    const noisy = (x) => Float64Array.from(x, (value, i) => value + (settings.noise / 100) * (i % 2 ? high : low) * rng.normal());
    const [x, testX] = [live.floats(set.x), live.floats(set.testX)].map(noisy);
    const [y, testY] = [set.y, set.testY].map((text) => Float64Array.from(live.bytes(text)));
    const count = y.length, tests = testY.length, batch = settings.batch === "all" ? count : Math.min(settings.batch, count);
    const sizes = [2, ...Array(settings.layers).fill(settings.units), 1];
    const network = new live.Network(sizes, { hidden: settings.activation, most: Math.max(count, tests, GRID) });
    const own = ["set", "layers", "units", "activation", "draw"].every((key) => settings[key] === state.chapter[key]);
    if (own) network.w.set(live.doubles(state.chapter.start));
    else network.start(rng, settings.activation === "relu" ? "he" : "glorot");
    const update = live.rules.plain(network.w.length), order = Array.from({ length: count }, (_, i) => i);
    const part = new Float64Array(batch);
    let at = 0;
    const run = { network, set, x, y, testX, testY, made: 0, every: 1, records: [], finite: true };
    const loss = (inputs, targets) => {
      network.a[0].set(inputs);
      const out = network.forward(targets.length);
      let sum = 0, right = 0;
      targets.forEach((target, i) => {
        sum += Math.max(out[i], 0) - out[i] * target + Math.log1p(Math.exp(-Math.abs(out[i])));
        right += out[i] > 0 === target > 0.5;
      });
      return [sum / targets.length, right / targets.length];
    };
    run.measure = () => ({ made: run.made, train: loss(x, y), test: tests ? loss(testX, testY) : null });
    const record = () => {  // at most RECORDS of them, evenly spaced
      run.records.push(run.measure());
      if (run.records.length > RECORDS) {
        run.every *= 2;
        run.records = run.records.filter(({ made }) => made % run.every === 0);
      }
    };
    run.step = () => {
      if (batch === count) {
        network.a[0].set(x);
        network.backward(y, count);
      } else {
        if (at + batch > count || at === 0) {
          rng.shuffle(order);
          at = 0;
        }
        for (let i = 0; i < batch; i++) {
          network.a[0].set(x.subarray(2 * order[at + i], 2 * order[at + i] + 2), 2 * i);
          part[i] = y[order[at + i]];
        }
        at += batch;
        network.backward(part, batch);
      }
      update(network.w, network.g, settings.rate);
      run.made++;
      run.finite = network.w.every(Number.isFinite);
      if (run.made % run.every === 0) record();
      return run.finite;
    };
    run.norms = () => {  // of the slopes of each layer's weights, on all examples
      network.a[0].set(x);
      network.backward(y, count);
      return network.slopes.map(([dW]) => Math.hypot(...dW));
    };
    record();
    return run;
  };

  // The piece of the line w · x + b = 0 that lies within limits, as two points, or null.
  live.lineWithin = ([u, v], b, [[x0, x1], [y0, y1]]) => {
    const ends = [];
    const add = (x, y) => {
      const inside = x >= x0 - 1e-9 && x <= x1 + 1e-9 && y >= y0 - 1e-9 && y <= y1 + 1e-9;
      if (inside && !ends.some(([p, q]) => Math.hypot(p - x, q - y) < 1e-9)) ends.push([x, y]);
    };
    if (v !== 0) for (const x of [x0, x1]) add(x, -(b + u * x) / v);
    if (u !== 0) for (const y of [y0, y1]) add(-(b + v * y) / u, y);
    return ends.length >= 2 ? ends.slice(0, 2) : null;
  };

  live.kinds.network = (body, state) => {
    const WIDTH = 310, PLANE = [48, 8, 302, 252], CURVE = [50, 10, 300, 160];
    const row = live.row(body), say = live.voice(body);
    const first = { ...state.chapter, batch: "all", noise: 0 };
    let settings = { ...first }, run = null, strip = 0;
    const choices = live.row(body, "Settings"), inputs = {};
    const more = live.element(body, "details");
    live.element(more, "summary", { textContent: "More settings" });
    const others = live.row(more, "More settings");
    const choose = (row, key, label, options, read = Number) => {
      inputs[key] = live.select(row, label, options, () => {
        settings[key] = read(inputs[key].value);
        if (key !== "rate") begin(loop.on);  // which may change on the way
      });
      inputs[key].value = settings[key];
    };
    if (state.sets.length > 1) choose(choices, "set", "Data", state.sets.map(({ name }) => name), String);
    choose(choices, "layers", "Hidden layers", state.depths);
    choose(choices, "units", "Units in each", state.units);
    choose(choices, "activation", "Activation", ["sigmoid", "tanh", "relu"], String);
    choose(choices, "rate", "Rate", state.rates);
    choose(others, "batch", "Batch", ["all", 50, 10, 1], (value) => (value === "all" ? value : Number(value)));
    inputs.noise = live.slider(others, "Noise", { min: 0, max: 20, value: 0 }, (value) => `${value} %`, (value) => {
      settings.noise = value;
      begin(loop.on);
    });
    const speed = live.select(others, "Updates a picture", SPEEDS, () => {});
    speed.value = state.speed;
    const paper = live.element(body, "div", { className: "dl-paper" });
    const [plane, pen] = live.canvas(paper, WIDTH, 292, "");
    const beside = live.element(paper, "div");
    const [curve, ink] = live.canvas(beside, WIDTH, 200, "");
    const [bars, brush] = state.gradients ? live.canvas(beside, WIDTH, 180, "") : [];
    const small = document.createElement("canvas");
    small.width = small.height = GRID;
    const dots = small.getContext("2d"), image = dots.createImageData(GRID, GRID), logits = new Float64Array(GRID * GRID);

    const answers = (rows) => {  // of the next so many rows of the grid, from the top
      const [[x0, x1], [y0, y1]] = run.set.limits, a = run.network.a[0];
      for (let k = 0; k < rows; k++, strip = (strip + 1) % GRID) {
        for (let j = 0; j < GRID; j++) {
          a[2 * j] = x0 + ((x1 - x0) * (j + 0.5)) / GRID;
          a[2 * j + 1] = y1 - ((y1 - y0) * (strip + 0.5)) / GRID;
        }
        logits.set(run.network.forward(GRID).subarray(0, GRID), strip * GRID);
      }
      for (let p = 0; p < GRID * GRID; p++) {
        const one = live.sigmoid(logits[p]), tint = one > 0.5 ? RED : BLUE, depth = 0.08 + 0.5 * Math.abs(one - 0.5);
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = 255 - depth * (255 - tint[c]);
        image.data[4 * p + 3] = 255;
      }
      dots.putImageData(image, 0, 0);
    };
    const boundary = (across, along) => {  // where the logit is zero, from cell to cell of the grid
      const [[x0, x1], [y0, y1]] = run.set.limits;
      const at = (i, j) => [across(x0 + ((x1 - x0) * (j + 0.5)) / GRID), along(y1 - ((y1 - y0) * (i + 0.5)) / GRID)];
      pen.beginPath();
      for (let i = 0; i + 1 < GRID; i++) {
        for (let j = 0; j + 1 < GRID; j++) {
          const corners = [[i, j], [i, j + 1], [i + 1, j + 1], [i + 1, j]], cut = [];
          corners.forEach(([r, c], k) => {
            const [s, d] = corners[(k + 1) % 4], one = logits[r * GRID + c], other = logits[s * GRID + d];
            if (one > 0 === other > 0) return;
            const share = one / (one - other), [u, v] = at(r, c), [p, q] = at(s, d);
            cut.push([u + share * (p - u), v + share * (q - v)]);
          });
          for (let k = 0; k + 1 < cut.length; k += 2) {
            pen.moveTo(...cut[k]);
            pen.lineTo(...cut[k + 1]);
          }
        }
      }
      pen.lineWidth = 2;
      pen.strokeStyle = "#000";
      pen.stroke();
    };
    const points = (across, along) => {
      pen.globalAlpha = 0.75;
      run.y.forEach((label, i) => {
        const [u, v] = [across(run.x[2 * i]), along(run.x[2 * i + 1])], r = run.y.length > 20 ? 2.5 : 6;
        pen.beginPath();
        if (label > 0.5) {
          pen.strokeStyle = "#D55E00";
          pen.lineWidth = run.y.length > 20 ? 1.5 : 3;
          pen.moveTo(u - r, v - r);
          pen.lineTo(u + r, v + r);
          pen.moveTo(u - r, v + r);
          pen.lineTo(u + r, v - r);
          pen.stroke();
        } else {
          pen.fillStyle = "#0072B2";
          pen.arc(u, v, r, 0, 7);
          pen.fill();
        }
      });
      pen.globalAlpha = 1;
    };
    const drawPlane = () => {
      const [left, top, right, bottom] = PLANE;
      pen.clearRect(0, 0, WIDTH, 292);
      answers(loop.on && run.network.w.length > 500 ? GRID / 4 : GRID);  // a large network's in four pictures
      pen.drawImage(small, left, top, right - left, bottom - top);
      const [across, along] = live.axes(pen, PLANE, ...run.set.limits, { xlabel: "x₁", ylabel: "x₂" });
      pen.save();
      pen.beginPath();
      pen.rect(left, top, right - left, bottom - top);
      pen.clip();
      boundary(across, along);
      const [W, b] = run.network.layers[0], units = b.length;
      pen.strokeStyle = "#009E73";
      pen.lineWidth = 1.5;
      if (units <= 8 && run.network.layers.length > 1) {
        for (let unit = 0; unit < units; unit++) {
          const ends = live.lineWithin([W[unit], W[units + unit]], b[unit], run.set.limits);
          if (!ends) continue;
          pen.setLineDash([[6, 4], [2, 3], [8, 3, 2, 3], [10, 3]][unit % 4]);
          pen.beginPath();
          ends.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](across(x), along(y)));
          pen.stroke();
        }
      }
      pen.setLineDash([]);
      points(across, along);
      pen.restore();
    };
    const drawCurve = () => {
      ink.clearRect(0, 0, WIDTH, 200);
      const all = run.records.flatMap(({ train, test }) => [train[0], ...(test ? [test[0]] : [])]).filter((loss) => loss > 0);
      const low = Math.max(1e-5, 10 ** Math.floor(Math.log10(Math.min(...all, 0.1))));
      const high = Math.min(100, 10 ** Math.ceil(Math.log10(Math.max(...all.filter(Number.isFinite), 1))));
      const limits = [0, Math.max(run.made, 10)];
      const [across, along] = live.axes(ink, CURVE, limits, [low, high], { xlabel: "update", ylabel: "loss", log: true });
      for (const [key, color, dash] of [["train", "#0072B2", []], ["test", "#D55E00", [6, 4]]]) {
        if (key === "test" && !run.testY.length) continue;
        ink.strokeStyle = color;
        ink.lineWidth = 2;
        ink.setLineDash(dash);
        ink.beginPath();
        run.records.forEach((record, k) => {
          ink[k ? "lineTo" : "moveTo"](across(record.made), along(Math.min(Math.max(record[key][0], low), high)));
        });
        ink.stroke();
        ink.setLineDash([]);
        ink.fillStyle = color;
        ink.font = "12px DejaVu Sans, Verdana, sans-serif";
        ink.textAlign = "right";
        ink.fillText(key === "train" ? "training —" : "test - -", CURVE[2], key === "train" ? 20 : 36);
      }
    };
    const drawBars = (norms) => {
      brush.clearRect(0, 0, WIDTH, 180);
      const low = 1e-10, box = [50, 10, 300, 140];
      const [across, along] = live.axes(brush, box, [0.4, norms.length + 0.6], [low, 10], {
        xlabel: "layer", ylabel: "gradient", log: true, xticks: norms.map((_, k) => k + 1).filter((k) => norms.length < 12 || k % 2),
      });
      brush.fillStyle = "#0072B2";
      norms.forEach((norm, k) => {
        const height = along(Math.min(Math.max(norm, low), 10));
        brush.fillRect(across(k + 0.65), height, across(1.7) - across(1), box[3] - height);
      });
    };
    const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
    const show = () => {
      drawPlane();
      drawCurve();
      const { train, test } = run.measure(), updates = `${run.made.toLocaleString("en")} update${run.made === 1 ? "" : "s"}`;
      let text = `${updates}: loss ${live.number(train[0])}, ${percent(train[1])} right` +
        (test ? `; on test points ${live.number(test[0])}, ${percent(test[1])}` : "") + ".";
      if (!run.finite) text = `After ${updates} the weights are no numbers any more: the rate is too large.`;
      plane.setAttribute("aria-label", `The plane, tinted by the network's answers, with the points of ${run.set.name}` +
        (loop.on ? ". The network is learning." : `. ${text}`));
      curve.setAttribute("aria-label", loop.on ? "The losses, growing." : `The losses. First ${live.number(run.records[0].train[0])}. ${text}`);
      if (bars) {
        const norms = run.norms();
        drawBars(norms);
        if (loop.on) bars.setAttribute("aria-label", "The gradients of the layers, changing.");
        else {
          bars.setAttribute("aria-label", `Length of the gradient of each layer's weights, from the first to the last: ${norms.map((norm) => live.number(norm, 1)).join(", ")}`);
        }
      }
      go.textContent = loop.on ? "Pause" : "Train";
      say(text, loop.on ? "Training." : "");
    };
    const begin = (goOn = false) => {
      loop.stop();
      run = live.training(state, settings);
      strip = 0;
      inputs.units.disabled = inputs.activation.disabled = settings.layers === 0;
      if (goOn) loop.start();
      show();
    };

    const go = live.button(row, "Train", () => {
      if (loop.on) loop.stop();
      else if (run.finite) loop.start();
      show();
    });
    live.button(row, "Step", () => {
      loop.stop();
      if (run.finite) run.step();
      show();
    });
    live.button(row, "Start over", () => begin());
    live.button(row, "New weights", () => {
      settings.draw++;
      begin(loop.on);
    });
    live.button(row, "Reset", () => {
      settings = { ...first };
      for (const [key, input] of Object.entries(inputs)) input.put ? input.put(settings[key]) : (input.value = settings[key]);
      begin();
    });
    // As many updates before each picture as were chosen, if ten milliseconds are enough for them.
    const loop = live.loop(body.parentElement, () => run.step(), show, () => Number(speed.value));
    begin();

    return {
      // The largest difference of a weight from the end of the chapter's own run, relative to the largest weight.
      check: () => {
        const again = live.training(state, first), end = live.doubles(state.chapter.end);
        for (let turn = 0; turn < state.chapter.turns; turn++) again.step();
        const largest = Math.max(...end.map(Math.abs));
        return Math.max(...end.map((weight, i) => Math.abs(weight - again.network.w[i]))) / largest;
      },
      now: () => {
        const { start, end, ...chosen } = settings;
        return { ...chosen, made: run.made, ...run.measure(), on: loop.on };
      },
    };
  };
})();
