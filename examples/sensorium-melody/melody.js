// Sounds: the browser's own player. The page serves this file as page/viewers/audio/audio.js (docs/page.md).

import { addressOf, blobOf, h, word } from "../../kit.js";

export default {
  accept: "audio/*",
  takes: (file) => file.type.startsWith("audio/"),

  show(part, { alt } = {}) {
    const src = URL.createObjectURL(blobOf(addressOf(part)));
    return h("audio", { class: "audio-view", controls: true, src, "aria-label": alt || word("audio", "name") });
  },

  style: ".audio-view { width: var(--medium-width, 20rem); max-width: 100%; }",
};
