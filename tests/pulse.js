// The viewer of tests/pulse.py: bars, in a module of an outside package.

import { addressOf, blobOf, h, marker } from "../../kit.js";

export default {
  show(part, { alt = "pulse" } = {}) {
    const view = h("div", { class: "pulse-view", role: "img", "aria-label": alt });
    blobOf(addressOf(part))
      .text()
      .then((text) => view.prepend(...text.trim().split(/\s+/).map(bar)));
    return view;
  },

  marker,

  capture: async () => new File(["1 2 3"], "felt.beats", { type: "text/x-beats" }),

  style: `
    .pulse-view { position: relative; display: flex; align-items: end; gap: 1px; height: 3rem;
      width: var(--medium-width, 15rem); max-width: 100%; border-bottom: 2px solid var(--accent); }
    .pulse-view i { flex: 1; min-height: 1px; background: rgb(198, 79, 107); }
  `,
};

function bar(beat) {
  const element = h("i");
  element.style.height = `${Number(beat) * 3}%`;
  return element;
}
