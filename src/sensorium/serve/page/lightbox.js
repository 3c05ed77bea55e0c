// A picture by itself, large, with what can be done with it.

import { h, openDialog, quietButton } from "./dom.js";
import { t } from "./i18n.js";
import { blobOf, download, fileName, suffixOf } from "./media.js";

const PIXEL_ART_PX = 160;

/** For an img's load event: show the pixels of a small picture as they are. */
export function crisp({ target }) {
  target.classList.toggle("crisp", target.naturalWidth <= PIXEL_ART_PX);
}

/** Show a picture large. `actions`: [{icon, label, run}] besides the download. */
export function enlarge(url, words, actions = []) {
  const picture = h("img", { src: url, alt: words, onload: crisp });
  const save = () => download(blobOf(url), `${fileName(words)}.${suffixOf(url)}`);
  const buttons = actions.map(({ icon, label, run }) =>
    quietButton(icon, label, () => {
      dialog.close();
      run();
    }),
  );
  const close = quietButton("close", t("action.close"), () => dialog.close());
  const bar = h("div", { class: "row center" }, quietButton("download", t("action.download"), save), ...buttons, close);
  const dialog = openDialog(words, picture, h("p", { class: "caption" }, words), bar);
  dialog.classList.add("lightbox");
}
