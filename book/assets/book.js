document.addEventListener("DOMContentLoaded", () => {
  // docutils puts entries of the obsolete role doc-biblioentry into a list; screen readers expect list items there.
  for (const entry of document.querySelectorAll('[role="list"] > [role="doc-biblioentry"]')) {
    entry.setAttribute("role", "listitem");
  }
  // myst-nb gives all its folds one and the same name, in the place of what stands on them.
  for (const summary of document.querySelectorAll('summary[aria-label="Toggle hidden content"]')) {
    summary.removeAttribute("aria-label");
  }
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
