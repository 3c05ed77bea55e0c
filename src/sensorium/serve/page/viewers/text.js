// Words: shown as they are written.

import { h } from "../dom.js";

export default {
  show: (part) => h("p", { class: "words" }, part.text),
};
