// What tools/trials/access.py asks of a page. Each function returns plain values.
globalThis.access = {
  text: (element) => element.textContent.trim().replace(/\s+/g, " ").slice(0, 40),
  kind: (element) => [element.tagName.toLowerCase(), ...element.classList].join("."),

  unfold() {
    document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  },

  theme(name) {
    document.documentElement.dataset.theme = document.documentElement.dataset.mode = name;
  },

  // What scrolls sideways by itself and is not among, or in, what may.
  sideways(may) {
    return [...document.body.querySelectorAll("*")].filter((element) =>
      element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1 && element.checkVisibility() &&
      /auto|scroll/.test(getComputedStyle(element).overflowX) && !element.closest(may)).map(access.text);
  },

  // Note the size of each piece of text, but of drawings and of what is hidden.
  note() {
    const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    access.sizes = new Map([...document.querySelectorAll("body *")].filter((element) => own(element) &&
      element.checkVisibility() && !element.closest("svg, mjx-container, script, style, option")).map((element) =>
      [element, parseFloat(getComputedStyle(element).fontSize)]));
  },

  // Which text has not grown since to nearly twice its size.
  small() {
    return [...access.sizes].filter(([element, size]) => element.checkVisibility() &&
      parseFloat(getComputedStyle(element).fontSize) < 1.9 * size).map(([element]) => access.text(element));
  },

  // What would move for a reader who wants reduced motion, and whether the page was told of that.
  motion() {
    const slow = (times) => times.split(",").some((time) => parseFloat(time) * (/ms/.test(time) ? 1 : 1000) > 20);
    const found = new Set();
    for (const element of document.querySelectorAll("*")) {
      for (const part of ["", "::before", "::after"]) {
        const look = getComputedStyle(element, part || undefined), name = access.kind(element) + part;
        if (part && look.content === "none") continue;
        if (slow(look.transitionDuration) && look.transitionProperty !== "none") found.add(`${name} changes slowly`);
        if (slow(look.animationDuration) && look.animationName !== "none") found.add(`${name} is animated`);
        if (look.scrollBehavior === "smooth" && !part) found.add(`${name} scrolls smoothly`);
      }
      if (element.matches("marquee, video[autoplay], audio[autoplay]")) found.add(`${access.kind(element)} plays`);
    }
    return { told: matchMedia("(prefers-reduced-motion: reduce)").matches, found: [...found] };
  },

  // What players, live figures and the page itself show now.
  now() {
    const shown = [...document.querySelectorAll("img, input[type=range]")].map((each) => each.value ?? each.src);
    const drawn = [...document.querySelectorAll("canvas")].map((each) => each.toDataURL());
    return JSON.stringify([shown, drawn, scrollX, scrollY]);
  },

  // Number what takes the focus, to tell what of it the Tab key comes to; return how many there are. Of a group of
  // radio buttons that is one.
  stops() {
    const takes = "a[href], button, input, select, textarea, summary, iframe, audio[controls], video[controls], [tabindex]";
    const groups = new Set();
    const all = [...document.querySelectorAll(takes)].filter((element) => {
      if (element.tabIndex < 0 || element.disabled || element.closest("[inert]")) return false;
      if (!element.checkVisibility({ visibilityProperty: true })) return false;
      if (element.matches("summary") && element !== element.parentElement.querySelector("summary")) return false;
      const group = element.type === "radio" && element.name;
      return !group || (!groups.has(group) && groups.add(group));
    });
    all.forEach((element, number) => { element.dataset.stop = number; });
    delete access.has;
    document.activeElement.blur();
    scrollTo(0, 0);
    return all.length;
  },

  missed(reached) {
    return [...document.querySelectorAll("[data-stop]")].filter((stop) => !reached.includes(stop.dataset.stop))
      .map((stop) => `${stop.tagName.toLowerCase()} ${access.text(stop)}`);
  },

  // How an element looks, and what is about it and in it, where the focus may show.
  look(element) {
    const clear = (color) => color === "transparent" || /^rgba\(.*, 0\)$|\/ 0\)$/.test(color);
    const parts = [[element], [element, "::before"], [element, "::after"], [element.parentElement],
      [element.firstElementChild], [element.nextElementSibling], [element.nextElementSibling, "::before"]];
    return JSON.stringify(parts.filter(([one]) => one).map(([one, part]) => {
      const look = getComputedStyle(one, part);
      const outlined = look.outlineStyle !== "none" && parseFloat(look.outlineWidth) && !clear(look.outlineColor);
      return [outlined ? [look.outlineStyle, look.outlineWidth, look.outlineColor] : [], look.boxShadow, look.color,
        look.backgroundColor, look.borderColor, look.borderWidth, look.textDecorationLine, look.opacity];
    }));
  },

  // The element with the focus, and how the one before it looks without.
  at() {
    const element = document.activeElement, had = access.has;
    access.has = element;
    // Of a link that is stretched over a card, the card is what one sees.
    const card = element.matches(".sd-stretched-link") && element.offsetParent;
    const { left, right, top, bottom, width, height } = (card || element).getBoundingClientRect();
    return {
      on: element !== document.body && element !== document.documentElement,
      number: element.dataset.stop,
      kind: access.kind(element),
      name: element.getAttribute("aria-label") || access.text(element),
      seen: width > 0 && height > 0 && right > 0 && left < innerWidth && bottom > 0 && top < innerHeight,
      box: [left - 8, top - 8, right + 8, bottom + 8],
      look: access.look(element),
      before: had && had !== element ? access.look(had) : null,
    };
  },
};
