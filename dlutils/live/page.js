// What all live figures share on a page: controls, a canvas, a loop that leaves the page responsive, and mount().
"use strict";
(() => {
  const live = dlLive;
  live.kinds = live.kinds ?? {};

  live.element = (parent, name, properties = {}) => {
    const element = Object.assign(document.createElement(name), properties);
    parent.append(element);
    return element;
  };
  // JupyterLab leaves the keys to what has data-lm-suppress-shortcuts; it would go to another cell with the arrows.
  const control = (element) => {
    element.setAttribute("data-lm-suppress-shortcuts", "");
    return element;
  };
  live.row = (figure, name) => {
    const row = live.element(figure, "div", { className: "dl-row" });
    if (name) {
      row.setAttribute("role", "group");
      row.setAttribute("aria-label", name);
    }
    return row;
  };
  live.button = (row, text, onclick) => control(live.element(row, "button", { type: "button", textContent: text, onclick }));
  const label = (row, text) => {
    const element = live.element(row, "label");
    live.element(element, "span", { textContent: text });
    return element;
  };
  live.select = (row, text, options, onchange) => {
    const select = control(live.element(label(row, text), "select", { onchange }));
    select.autocomplete = "off";
    for (const option of options) live.element(select, "option", { textContent: option, value: option });
    return select;
  };
  live.tick = (row, text, checked, onchange) => {
    const box = live.element(row, "label", { className: "dl-tick" });
    const input = control(live.element(box, "input", { type: "checkbox", checked, onchange, autocomplete: "off" }));
    live.element(box, "span", { textContent: text });
    return input;
  };
  // said(value) is what stands beside the slider, and what a screen reader says.
  live.slider = (row, text, { min, max, step = 1, value }, said, oninput) => {
    const holder = label(row, text);
    const input = control(live.element(holder, "input", { type: "range", min, max, step, autocomplete: "off" }));
    const shown = live.element(holder, "span", { className: "dl-value", ariaHidden: "true" });
    shown.style.minWidth = Math.max(...[min, max].map((end) => said(end).length)) + "ch";
    const show = () => {
      shown.textContent = said(Number(input.value));
      input.setAttribute("aria-valuetext", said(Number(input.value)));
    };
    input.oninput = () => { oninput(Number(input.value)); show(); };
    input.put = (next) => { input.value = next; show(); };
    input.put(value);
    return input;
  };
  // What the figure has to say. Read out when it rests, not at every frame of a run; `busy` is said once, at its start.
  live.voice = (figure) => {
    const output = live.element(figure, "p", { className: "dl-said" });
    output.setAttribute("role", "status");
    const quiet = live.element(figure, "p", { className: "dl-said" });
    quiet.ariaHidden = "true";
    return (text, busy = "") => {
      if (output.textContent !== (busy || text)) output.textContent = busy || text;
      quiet.textContent = text;
      output.classList.toggle("dl-unseen", busy !== "");
      quiet.hidden = busy === "";
    };
  };
  // A canvas as sharp as the screen, drawn on in units of CSS pixels at full width, from the upper left corner.
  live.canvas = (parent, width, height, name) => {
    const canvas = live.element(parent, "canvas"), scale = Math.min(3, Math.max(1, globalThis.devicePixelRatio || 1));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = width + "px";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", name);
    const pen = canvas.getContext("2d");
    pen.scale(canvas.width / width, canvas.height / height);
    return [canvas, pen];
  };
  // Where on the canvas a pointer is, in the units it is drawn on.
  live.spot = (canvas, width, height, event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  // Hands over where a canvas is clicked, tapped, or dragged on: with a mouse anywhere, with a finger from near(spot) on.
  // A finger that begins elsewhere scrolls the page.
  live.draggable = (canvas, width, height, near, put) => {
    let dragging = false;
    canvas.dataset.pointer = "";
    const at = (event) => live.spot(canvas, width, height, event);
    canvas.addEventListener("touchstart", (event) => {
      if (event.touches.length === 1 && near(at(event.touches[0]))) event.preventDefault();
    }, { passive: false });
    canvas.onclick = (event) => put(at(event), true);
    canvas.onpointerdown = (event) => {
      if (event.pointerType !== "mouse" && !near(at(event))) return;
      dragging = true;
      canvas.setPointerCapture(event.pointerId);
      put(at(event), false);
    };
    canvas.onpointermove = (event) => { if (dragging) put(at(event), false); };
    canvas.onpointerup = canvas.onpointercancel = (event) => {
      if (dragging && event.type === "pointerup") put(at(event), true);
      dragging = false;
    };
  };
  // Runs work() until it returns false, in slices of ten milliseconds, at most most() times a frame; only while the
  // figure is in view and the page is shown. shown() draws; it is called once more when the work has ended.
  live.loop = (figure, work, shown, most = () => 2000) => {
    let on = false, inView = true;
    new IntersectionObserver((seen) => { inView = seen.at(-1).isIntersecting; }).observe(figure);
    const frame = () => {
      if (!on) return;
      if (inView) {
        const end = performance.now() + 10, limit = most();
        for (let times = 0; on && times < limit && performance.now() < end; times++) on = work() !== false;
        shown();
      }
      requestAnimationFrame(frame);
    };
    return {
      get on() { return on; },
      start() { if (!on) { on = true; requestAnimationFrame(frame); } },
      stop() { on = false; },
    };
  };
  // Axes as the book's figures have them, in a box [left, top, right, bottom]; with `log` the second one is logarithmic.
  // Returns two functions that say where on the canvas a value is.
  live.axes = (pen, box, xs, ys, { xlabel = "", ylabel = "", log = false, xticks = null } = {}) => {
    const [left, top, right, bottom] = box, across = (x) => left + ((x - xs[0]) / (xs[1] - xs[0])) * (right - left);
    const share = (y) => (log ? Math.log(y / ys[0]) / Math.log(ys[1] / ys[0]) : (y - ys[0]) / (ys[1] - ys[0]));
    const along = (y) => bottom - share(y) * (bottom - top);
    const ticks = ([low, high], most) => {
      const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
      const pitch = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
      const count = Math.floor(high / pitch + 1e-9) - Math.ceil(low / pitch - 1e-9) + 1;
      return Array.from({ length: count }, (_, k) => Number(((Math.ceil(low / pitch - 1e-9) + k) * pitch).toPrecision(6)));
    };
    const powers = () => ticks([Math.log10(ys[0]), Math.log10(ys[1])], 4).filter(Number.isInteger).map((k) => 10 ** k);
    pen.save();
    pen.strokeStyle = pen.fillStyle = "#000";
    pen.lineWidth = 1;
    pen.font = "12px DejaVu Sans, Verdana, sans-serif";
    pen.beginPath();
    pen.moveTo(left, top);
    pen.lineTo(left, bottom);
    pen.lineTo(right, bottom);
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const x of xticks ?? ticks(xs, 5)) {
      pen.moveTo(across(x), bottom);
      pen.lineTo(across(x), bottom + 4);
      pen.fillText(live.minus(x.toLocaleString("en")), across(x), bottom + 6);
    }
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const y of log ? powers() : ticks(ys, 5)) {
      pen.moveTo(left - 4, along(y));
      pen.lineTo(left, along(y));
      pen.fillText(live.number(y), left - 6, along(y));
    }
    pen.stroke();
    pen.textAlign = "center";
    pen.fillText(xlabel, (left + right) / 2, bottom + 28);
    pen.translate(left - 39, (top + bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(ylabel, 0, 0);
    pen.restore();
    return [across, along];
  };
  live.minus = (text) => String(text).replace("-", "−");
  live.number = (value, digits = 3) => {  // 0.0123, −2, 1.5·10⁻⁷
    if (value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 10000)) return live.minus(Number(value.toPrecision(digits)));
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    const raised = [...exponent.replace("+", "")].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
    return `${Number(mantissa) === 1 ? "" : live.minus(Number(mantissa)) + "·"}10${raised}`;
  };

  // A figure's state stands in the page, or, where it is large, in a script of its own beside it: the only kind of file
  // that a page on a disk may load. That is fetched when the figure comes near the window.
  live.files = live.files ?? {};
  const file = (name) => new Promise((done, failed) => {
    if (live.files[name]) return done(live.files[name]);
    const script = live.element(document.head, "script");
    script.onload = () => (live.files[name] ? done(live.files[name]) : failed(new Error(name + " holds something else")));
    script.onerror = () => failed(new Error(name + " cannot be loaded"));
    script.src = (document.documentElement.dataset.content_root ?? "./") + "_static/" + name;
  });
  const build = (figure, state) => {
    const picture = figure.querySelector("img");
    const body = live.element(figure, "div", { className: "dl-body" });
    try {
      figure.probe = live.kinds[figure.dataset.live](body, state, picture);
      picture.hidden = true;
    } catch (error) {  // the picture stays, and no dead button with it
      body.remove();
      console.error(error);
    }
  };
  live.mount = () => {
    for (const figure of document.querySelectorAll(".dl-live[data-state]")) {
      const state = JSON.parse(figure.dataset.state);
      figure.removeAttribute("data-state");
      build(figure, state);
    }
    for (const figure of document.querySelectorAll(".dl-live[data-file]")) {
      const name = figure.dataset.file;
      figure.removeAttribute("data-file");
      const near = new IntersectionObserver((seen) => {
        if (!seen.some((one) => one.isIntersecting)) return;
        near.disconnect();
        file(name).then((state) => build(figure, state)).catch((error) => console.error(error));
      }, { rootMargin: "1000px" });
      near.observe(figure);
    }
  };
})();
