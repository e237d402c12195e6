"""Accessibility checks of a page as the browser has laid it out (a part of WCAG 2.2 AA)."""

from __future__ import annotations

from typing import Any

__all__ = ["faults_in"]

_OUTLINE = """() => {
    const wrong = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const one = (selector) => all(selector).length === 1 || wrong.push(`${all(selector).length} of ${selector}`);
    ["h1", "main", "header", "title", "footer"].forEach((each) => one(each));
    if (!document.documentElement.lang) wrong.push("no language");
    if (!document.title.trim()) wrong.push("no title");
    const ids = all("[id]").map((each) => each.id);
    ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => wrong.push(`id ${id} twice`));
    for (const field of all("input:not([type=hidden]), select, textarea, progress"))
        if (!field.labels?.length) wrong.push(`no label: ${field.outerHTML}`);
    for (const each of all("a, button, summary"))
        if (!each.textContent.trim() && !each.ariaLabel) wrong.push(`no name: ${each.outerHTML}`);
    for (const name of ["aria-labelledby", "aria-describedby", "for"])
        for (const each of all(`[${name}]`))
            for (const id of each.getAttribute(name).split(" "))
                if (!document.getElementById(id)) wrong.push(`nothing called ${id}`);
    let level = 1;
    for (const heading of all("main h1, main h2, main h3, main h4")) {
        const now = Number(heading.tagName[1]);
        if (now > level + 1) wrong.push(`h${now} after h${level}: ${heading.textContent}`);
        level = now;
    }
    return wrong;
}"""

_LAYOUT = """() => {
    const wrong = [];
    const page = document.documentElement;
    if (page.scrollWidth > page.clientWidth) wrong.push(`${page.scrollWidth - page.clientWidth} px too wide`);
    for (const each of document.querySelectorAll("button, a.button, input:not([type=hidden])")) {
        const box = each.getBoundingClientRect();
        if (box.width && Math.min(box.width, box.height) < 13) wrong.push(`too small: ${each.outerHTML}`);
        if (box.right > page.clientWidth + 1) wrong.push(`cut off: ${each.outerHTML}`);
    }
    return wrong;
}"""

_CONTRAST = """(least) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const over = (colour, below) => {
        canvas.fillStyle = `rgb(${below.join(" ")})`;
        canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const paper = (element) =>
        element === null ? [255, 255, 255] : over(getComputedStyle(element).backgroundColor, paper(element.parentElement));
    const light = (rgb) =>
        rgb.map((part) => part / 255)
            .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
            .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const wrong = new Set();
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
        const element = words.currentNode.parentElement;
        const text = words.currentNode.textContent.trim();
        if (!text || element.closest(":disabled, .unseen") || !element.checkVisibility()) continue;
        const below = paper(element);
        const both = [light(below), light(over(getComputedStyle(element).color, below))].sort((a, b) => b - a);
        const ratio = (both[0] + 0.05) / (both[1] + 0.05);
        if (ratio < least) wrong.add(`${ratio.toFixed(2)}:1 ${text.slice(0, 40)}`);
    }
    return [...wrong];
}"""


def faults_in(page: Any) -> list[str]:
    """The faults in the outline, layout and colors of the current page."""
    return [*page.evaluate(_OUTLINE), *page.evaluate(_LAYOUT), *page.evaluate(_CONTRAST, 4.5)]
