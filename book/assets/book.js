document.addEventListener("DOMContentLoaded", () => {
  // docutils puts entries of the obsolete role doc-biblioentry into a list; screen readers expect list items there.
  for (const entry of document.querySelectorAll('[role="list"] > [role="doc-biblioentry"]')) {
    entry.setAttribute("role", "listitem");
  }
  // myst-nb gives all its folds one and the same name, in the place of what stands on them.
  for (const summary of document.querySelectorAll('summary[aria-label="Toggle hidden content"]')) {
    summary.removeAttribute("aria-label");
  }
  // The pages' policy lets no handler in that stands in an attribute, as the theme has it (tools/build/finish.py).
  document.querySelector(".btn-fullscreen-button")?.addEventListener("click", () => toggleFullScreen());
  // The theme leaves its logo outside of all landmarks.
  document.querySelector(".navbar-brand.logo")?.parentElement.setAttribute("role", "banner");
});

// MathJax's menu, which is turned off in _config.yml, made a tab stop of every formula. One that is too wide for the
// window scrolls, and must be one, or it cannot be read to its end by keyboard. So must a figure's table of numbers.
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const stop = (target, scrolls) => {
    const label = `${target.matches(".dl-table") ? "Table" : "Formula"}, scrolls sideways`;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", label]]) {
      scrolls ? target.setAttribute(name, value) : target.removeAttribute(name);
    }
  };
  const watch = new ResizeObserver((entries) => {
    entries.forEach(({ target }) => stop(target, target.scrollWidth > target.clientWidth));
  });
  document.querySelectorAll('mjx-container[display="true"], .dl-table').forEach((target) => watch.observe(target));

  // A formula in the text that is wider than a narrow window scrolls, too.
  const inText = [...document.querySelectorAll("mjx-container:not([display])")].filter((one) => !one.closest("table"));
  let width;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width;
    inText.forEach((formula) => formula.classList.remove("dl-wide"));
    const wide = inText.map((formula) => formula.offsetWidth > formula.closest("p, li, dd, div").clientWidth);
    inText.forEach((formula, number) => {
      formula.classList.toggle("dl-wide", wide[number]);
      stop(formula, wide[number]);
    });
  }).observe(document.querySelector("main article") ?? document.body);
});

// The dark theme is light on dark, and browsers leave the dark out when they print.
let theme;
window.addEventListener("beforeprint", () => {
  theme ??= document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = theme;
  theme = undefined;
});

// Which chapters one has read: a button at the end of each, and ticks where chapters are listed. It is kept in this
// browser and nowhere else; where nothing may be kept, nothing is offered.
document.addEventListener("DOMContentLoaded", () => {
  const KEY = "training-neural-networks: read";
  const nameOf = (address) => new URL(address, location.href).pathname.split("/").at(-1).replace(/\.html$/, "");
  const sidebar = [...document.querySelectorAll("nav.bd-docs-nav li > a.internal")];
  const chapters = new Set(sidebar.filter((link) => /^\d+\. /.test(link.textContent.trim())).map((link) => nameOf(link.href)));
  const article = document.querySelector("article.bd-article"), list = article?.querySelector("#the-chapters");
  const here = nameOf(location.href);
  const links = [...sidebar, ...(list?.querySelectorAll("p > a.internal") ?? [])].filter(({ href }) => chapters.has(nameOf(href)));
  const create = (name, properties) => Object.assign(document.createElement(name), properties);

  let read;
  const load = () => {
    const kept = localStorage.getItem(KEY);
    try { read = new Set(JSON.parse(kept)); } catch { read = new Set(); }
  };
  try { load(); } catch { return; }

  const box = create("div", { className: "read" }), said = create("p", { role: "status", tabIndex: -1 });
  const button = create("button", { type: "button", className: "btn btn-sm btn-outline-primary" });
  box.append(button, said);
  const show = () => {
    for (const link of links) {
      link.querySelector(".read-tick")?.remove();
      if (!read.has(nameOf(link.href))) continue;
      const tick = create("span", { className: "read-tick" });
      tick.append(create("span", { textContent: " ✓", ariaHidden: "true" }), create("span", { className: "visually-hidden", textContent: ", read" }));
      link.append(tick);
    }
    const many = [...chapters].filter((name) => read.has(name)).length;
    said.textContent = many || box.contains(document.activeElement) ? `${many} of ${chapters.size} chapters read` : "";
    if (list) {
      button.textContent = "Remove the ticks";
      button.hidden = !many;
    } else {
      button.textContent = read.has(here) ? "✓ Read" : "Mark as read";
      button.ariaLabel = "Chapter read";
      button.ariaPressed = String(read.has(here));
    }
  };
  button.onclick = () => {
    if (list) read.clear();
    else if (!read.delete(here)) read.add(here);
    try { localStorage.setItem(KEY, JSON.stringify([...read])); } catch { box.remove(); }
    show();
    if (button.hidden) said.focus(); // not lost with the button
  };
  for (const happening of ["storage", "pageshow"]) addEventListener(happening, () => { load(); show(); });
  if (list) list.querySelector("h2").after(box);
  else if (chapters.has(here)) article?.append(box);
  show();
});
