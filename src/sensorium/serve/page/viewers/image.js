// Pictures: shown crisp when small, enlarged on a click; taken from files, the clipboard, the camera.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { crisp, enlarge } from "../lightbox.js";
import { urlOf, urlOfBlob } from "../media.js";
import { takePicture } from "./camera.js";

const SENT_AS_IT_IS_BYTES = 150_000;
const LONG_SIDE_PX = 768;

export default {
  accept: "image/*",
  icon: "attach",
  takes: (file) => file.type.startsWith("image/"),
  capture: takePicture,

  /** A data URI of a file. Large photos are made smaller first, which also leaves out where they were taken. */
  async read(file) {
    const url = await urlOfBlob(file);
    const picture = await decoded(url, file.name);
    return file.size <= SENT_AS_IT_IS_BYTES ? url : smaller(picture);
  },

  /** A button with the picture; `alt` describes it, `actions` are offered where it is enlarged. */
  show(part, { alt, actions } = {}) {
    const url = urlOf(part);
    const label = alt || t("viewer.picture");
    const open = () => enlarge(url, label, actions);
    const button = { type: "button", class: "picture", title: t("viewer.enlarge"), onclick: open };
    return h("button", button, this.thumbnail(part, label));
  },

  thumbnail: (part, alt) => h("img", { src: urlOf(part), alt, onload: crisp }),

  /** What is shown while the model draws: a mosaic that fills up. */
  waiting({ done, total }) {
    const side = Math.round(Math.sqrt(total ?? 0));
    const tiles = side * side === total && side <= 32 ? total : 64;
    const full = total ? Math.round((done / total) * tiles) : 0;
    const mosaic = h("div", { class: "mosaic", "aria-hidden": "true" });
    mosaic.style.setProperty("--side", Math.round(Math.sqrt(tiles)));
    for (let tile = 0; tile < tiles; tile++) mosaic.append(h("i", { class: tile < full ? "full" : "" }));
    return mosaic;
  },
};

/** The picture as the browser opens it, or an error in plain words. */
async function decoded(url, name) {
  const picture = new Image();
  picture.src = url;
  try {
    await picture.decode();
  } catch {
    throw new Error(t("error.picture", { name }));
  }
  return picture;
}

function smaller(picture) {
  const scale = Math.min(1, LONG_SIDE_PX / Math.max(picture.naturalWidth, picture.naturalHeight));
  const canvas = h("canvas", {
    width: Math.max(1, Math.round(picture.naturalWidth * scale)),
    height: Math.max(1, Math.round(picture.naturalHeight * scale)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.9);
}
