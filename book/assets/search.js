// What Sphinx's search finds are pages. Here a result leads to the section that holds the words, and shows them.
// The texts of all sections are in search-texts.js: Sphinx would fetch the pages, and a page on a disk may fetch nothing.
"use strict";
document.addEventListener("DOMContentLoaded", () => { // before Sphinx's own, which performs the search
  const excerpts = new Map();
  const escaped = (text) => Object.assign(document.createElement("i"), { textContent: text }).innerHTML;
  const pattern = (word) => new RegExp(`(?<![\\p{L}\\p{N}_])${_escapeRegExp(word)}`, "giu");
  const times = (text, word) => text.match(pattern(word))?.length ?? 0;

  // How well a place fits: how many of the words it holds, then whether its heading does, then how often.
  const fit = ([, heading, text], words) => {
    const held = words.filter((word) => times(heading + " " + text, word));
    const often = held.reduce((total, word) => total + times(text, word), 0);
    return 1e6 * held.length + 1e4 * held.filter((word) => times(heading, word)).length + Math.min(often, 9999);
  };
  const excerpt = (text, words) => {
    const first = Math.min(...words.map((word) => text.search(pattern(word))).filter((at) => at >= 0), text.length);
    const start = first === text.length || first < 100 ? 0 : text.indexOf(" ", first - 90) + 1;
    const end = start + 240 < text.length ? text.lastIndexOf(" ", start + 240) : text.length;
    return (start ? "… " : "") + text.slice(start, end) + (end < text.length ? " …" : "");
  };
  const refine = (result, words) => {
    const [page, title, anchor, description] = result, places = bookTexts[page] ?? [];
    if (description !== null) return result; // a figure or a function, with its very place
    const ranked = places.map((place) => [fit(place, words), place]).sort((a, b) => b[0] - a[0]);
    const place = anchor ? places.find(([name]) => anchor === "#" + name) : ranked[0]?.[0] && ranked[0][1];
    if (!place) return result;
    const [name, heading, text] = place, top = place === places[0];
    const href = page + DOCUMENTATION_OPTIONS.LINK_SUFFIX + (top ? "" : "#" + name);
    if (text) excerpts.set(href, excerpt(text, words));
    const shown = top || title.endsWith(" > " + heading) ? title : `${title} > ${escaped(heading)}`;
    return [page, shown, top ? "" : "#" + name, null, ...result.slice(4)];
  };

  // A figure whose caption has all of several words is more likely meant than a page that has them somewhere.
  const weight = ([, , , description, score], words) => score + (description?.startsWith("figure") ? 4 * (words - 1) : 0);

  const perform = Search._performSearch;
  Search._performSearch = (query, words, ...others) => {
    const seen = new Set(), results = perform(query, words, ...others).map((result) => refine(result, [...words]));
    const many = splitQuery(query).length;
    results.sort((a, b) => weight(a, many) - weight(b, many));
    const best = results.reverse().filter(([page, , anchor, description]) => { // the last one is shown first
      const place = description === null ? page + anchor : NaN;
      return !seen.has(place) && (description !== null || seen.add(place));
    });
    return best.reverse();
  };
  new MutationObserver((changes) => {
    for (const item of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      const text = item.localName === "li" && excerpts.get(item.querySelector("a").getAttribute("href"));
      if (!text) continue;
      item.append(Object.assign(document.createElement("p"), { className: "context", textContent: text }));
      const words = new URLSearchParams(location.search).get("q").toLowerCase();
      splitQuery(words).forEach((word) => _highlightText(item, word, "highlighted"));
    }
  }).observe(document.getElementById("search-results"), { childList: true, subtree: true });
});
