// A frame over what a viewer shows, that marks the place a code stands for.

import { h } from "./dom.js";

/**
 * Lay a frame over `element`, which must be positioned. Returns a function that takes a place, {x: [from, to],
 * y: [from, to]} in fractions of the width and height (y left out for media in time), or null to hide it.
 */
export function marker(element) {
  const frame = h("div", { class: "marker", hidden: true });
  element.append(frame);
  return (place) => {
    frame.hidden = !place;
    if (!place) return;
    const { x, y = [0, 1] } = place;
    frame.style.left = `${x[0] * 100}%`;
    frame.style.width = `${(x[1] - x[0]) * 100}%`;
    frame.style.top = `${y[0] * 100}%`;
    frame.style.height = `${(y[1] - y[0]) * 100}%`;
  };
}
