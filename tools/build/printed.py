"""What a page in a browser is asked when it is laid out for paper."""

PRINTED = """() => ({
    dark: document.documentElement.dataset.theme !== "light",
    cut: [...document.querySelectorAll("main *")].filter(element => {
        const { left, right } = element.getBoundingClientRect(), { clientWidth, scrollWidth } = element;
        const scrolls = clientWidth > 1 && scrollWidth > clientWidth + 1 && !element.closest(".math, mjx-container") &&
            (left + scrollWidth > innerWidth + 1 || getComputedStyle(element).overflowX !== "visible");
        const seen = element.checkVisibility() && !element.closest("mjx-assistive-mml");
        return seen && (right > innerWidth + 1 || scrolls);
    }).map(element => (element.closest("mjx-container")?.querySelector("math") ?? element)
        .textContent.trim().replace(/\\s+/g, " ").slice(0, 40)),
})"""
