// Pictures: shown crisp when small, enlarged on a click; taken from files, the clipboard, the camera.
// The page serves it as page/viewers/image/image.js (docs/page.md).

import {
  addressOf,
  blobOf,
  download,
  fileName,
  h,
  marker,
  openDialog,
  quietButton,
  suffixOf,
  t,
  urlOfBlob,
  word,
} from "../../kit.js";

const SENT_AS_IT_IS_BYTES = 150_000;
const LONG_SIDE_PX = 768;
const PIXEL_ART_PX = 160;
const MOST_TILES_A_SIDE = 32;

export default {
  accept: "image/*",
  takes: (file) => file.type.startsWith("image/"),
  capture: takePhoto,
  captureIcon:
    "M4.5 7.5h3l1.600-2.300h5.800l1.600 2.300h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-15a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1Z" +
    " M12 9.600a3.200 3.200 0 1 1 0 6.400a3.200 3.200 0 1 1 0-6.400Z",

  /** A data URI of a file. Large photos are made smaller first, which also leaves out where they were taken. */
  async read(file) {
    const url = await urlOfBlob(file);
    const picture = await decoded(url, file.name);
    return file.size <= SENT_AS_IT_IS_BYTES ? url : smaller(picture);
  },

  /** A button with the picture; `alt` describes it, `actions` are offered where it is enlarged. */
  show(part, { alt, actions } = {}) {
    const label = alt || word("image", "name");
    const open = () => enlarge(addressOf(part), label, actions);
    const button = { type: "button", class: "image-view", title: word("image", "enlarge"), onclick: open };
    return h("button", button, this.thumbnail(part, label));
  },

  thumbnail: (part, alt) => h("img", { src: addressOf(part), alt, onload: crisp }),

  marker,

  /** What is shown while the model draws: a mosaic that fills up. */
  waiting({ done, total }) {
    const side = Math.round(Math.sqrt(total ?? 0));
    const tiles = side * side === total && side <= MOST_TILES_A_SIDE ? total : 64;
    const full = total ? Math.round((done / total) * tiles) : 0;
    const mosaic = h("div", { class: "image-mosaic", "aria-hidden": "true" });
    mosaic.style.setProperty("--side", Math.round(Math.sqrt(tiles)));
    for (let tile = 0; tile < tiles; tile++) mosaic.append(h("i", { class: tile < full ? "full" : "" }));
    return mosaic;
  },

  style: `
    .image-view { position: relative; display: block; width: var(--medium-width, 15rem); max-width: 100%; padding: 0;
      overflow: hidden; border: 1px solid var(--line); border-radius: var(--round); background: #fff;
      aspect-ratio: 1; cursor: zoom-in; }
    .image-view img { width: 100%; height: 100%; object-fit: contain; }
    .attempts .image-view { padding: 0.4rem; }
    .image-view:hover { border-color: var(--accent); }
    .image-crisp { image-rendering: pixelated; }
    .image-mosaic { display: grid; grid-template-columns: repeat(var(--side), 1fr); gap: 2px; width: 9rem;
      padding: 0.5rem; border: 1px solid var(--line); border-radius: var(--round); background: var(--surface);
      aspect-ratio: 1; }
    .image-mosaic i { border-radius: 2px; background: var(--sunken); }
    .image-mosaic i.full:nth-child(4n + 1) { background: #7fb77e; }
    .image-mosaic i.full:nth-child(4n + 2) { background: #3aa6a0; }
    .image-mosaic i.full:nth-child(4n + 3) { background: #f2b84b; }
    .image-mosaic i.full:nth-child(4n) { background: #e2725b; }
    .image-large[open], .image-camera[open] { display: grid; gap: 0.9rem; justify-items: center; }
    .image-large img { width: min(30rem, 100%, calc(100dvh - 15rem)); border-radius: var(--small-round);
      background: #fff; object-fit: contain; }
    .image-large p { max-width: 30rem; color: var(--soft); text-align: center; overflow-wrap: anywhere; }
    .image-camera video { display: block; width: min(36rem, 100%); min-height: 12rem; max-width: 100%;
      border-radius: var(--small-round); background: #000; }
  `,
};

/** For an img's load event: show the pixels of a small picture as they are. */
function crisp({ target }) {
  target.classList.toggle("image-crisp", target.naturalWidth <= PIXEL_ART_PX);
}

/** Show a picture large. `actions`: [{icon, label, run}] besides the download. */
function enlarge(url, words, actions = []) {
  const picture = h("img", { src: url, alt: words, onload: crisp });
  const save = () => download(blobOf(url), `${fileName(words)}.${suffixOf("image", url)}`);
  const buttons = actions.map(({ icon, label, run }) =>
    quietButton(icon, label, () => {
      dialog.close();
      run();
    }),
  );
  const close = quietButton("close", t("action.close"), () => dialog.close());
  const bar = h("div", { class: "row center" }, quietButton("download", t("action.download"), save), ...buttons, close);
  const dialog = openDialog(words, picture, h("p", {}, words), bar);
  dialog.classList.add("image-large");
}

/** The picture as the browser opens it, or an error in plain words. */
async function decoded(url, name) {
  const picture = new Image();
  picture.src = url;
  try {
    await picture.decode();
  } catch {
    throw new Error(word("image", "damaged", { name }));
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

/**
 * A JPEG file from the camera, or null when the person closed it: live in the page, or through the telephone's own
 * camera where the page may not.
 */
async function takePhoto() {
  const live = await stream();
  return live ? fromStream(live) : fromFileChooser();
}

async function stream() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return null; // no camera, not allowed, or no secure connection
  }
}

function fromFileChooser() {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", accept: "image/*", capture: "environment" });
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

function fromStream(live) {
  return new Promise((resolve) => {
    const video = h("video", { autoplay: true, muted: true, playsInline: true, srcObject: live });
    const shoot = { type: "button", class: "main-button", onclick: () => shot(video, resolve, dialog) };
    const shutter = h("button", shoot, word("image", "shoot"));
    const cancel = quietButton("close", t("action.cancel"), () => dialog.close());
    const bar = h("div", { class: "row end" }, cancel, shutter);
    const dialog = openDialog(word("image", "capture"), video, bar);
    dialog.classList.add("image-camera");
    dialog.addEventListener("close", () => {
      for (const track of live.getTracks()) track.stop();
      resolve(null); // no effect after a photo
    });
    shutter.focus();
  });
}

function shot(video, resolve, dialog) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob(
    (blob) => {
      resolve(blob && new File([blob], "camera.jpg", { type: blob.type }));
      dialog.close();
    },
    "image/jpeg",
    0.9,
  );
}
