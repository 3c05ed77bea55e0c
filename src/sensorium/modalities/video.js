// Clips: played again and again, with a button, a line of time and the second that is shown. GIFs move by themselves.

import { addressOf, h, icon, marker, mediaTypeOf, number, word } from "../../kit.js";

const PLAY = "M7 5 L19 12 L7 19 Z";
const PAUSE = "M8 5 V19 M16 5 V19";
const PIXEL_ART_PX = 160;

const wantsStillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export default {
  accept: "video/*,image/gif",
  takes: (file) => file.type.startsWith("video/") || file.type === "image/gif",

  show(part, { alt = word("video", "name") } = {}) {
    const url = addressOf(part);
    const moving = mediaTypeOf(url).startsWith("image/") ? picture(url, alt) : player(url, alt);
    return h("div", { class: "video-view", role: "group", "aria-label": alt }, ...moving);
  },

  thumbnail(part, alt) {
    const url = addressOf(part);
    if (mediaTypeOf(url).startsWith("image/")) return h("img", { src: url, alt });
    return h("video", { src: url, muted: true, playsInline: true, preload: "auto", ariaLabel: alt });
  },

  /** A moment is gone to, a place in the picture is framed. */
  marker(element) {
    const stage = element.querySelector(".video-stage");
    const frame = marker(stage);
    return (place) => {
      frame(place?.y ? place : null);
      if (place && !place.y) stage.dispatchEvent(new CustomEvent("seek", { detail: (place.x[0] + place.x[1]) / 2 }));
    };
  },

  style: `
    .video-view { width: var(--medium-width, 18rem); min-width: 10rem; max-width: 100%; padding: 0.4rem;
      border: 1px solid var(--line); border-radius: var(--round); background: var(--surface); }
    .video-stage { position: relative; }
    .video-stage video, .video-stage img, .video-stage canvas { display: block; width: 100%; height: auto;
      border-radius: var(--small-round); background: #fff; }
    .video-crisp { image-rendering: pixelated; }
    .video-bar { display: flex; gap: 0.4rem; align-items: center; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
    .video-bar input { flex: 1; min-width: 4rem; }
    .video-bar button { padding: 0.2rem 0.5rem; border: 0; background: none; color: inherit; }
    .video-bar button:hover { color: var(--accent); }
  `,
};

function crisp(element, width) {
  element.classList.toggle("video-crisp", width <= PIXEL_ART_PX);
}

/** A button between playing and standing still; `press` is told whether to play. */
function playButton(press) {
  let playing = false;
  const button = h("button", { type: "button", onclick: () => press(!playing) }, icon(PLAY));
  const show = (now) => {
    playing = now;
    button.querySelector("path").setAttribute("d", now ? PAUSE : PLAY);
    button.title = word("video", now ? "pause" : "play");
    button.setAttribute("aria-label", button.title);
  };
  show(false);
  return { button, show };
}

function player(url, alt) {
  const film = h("video", { src: url, muted: true, loop: true, playsInline: true, ariaLabel: alt });
  const stage = h("div", { class: "video-stage" }, film);
  const slider = { type: "range", min: 0, max: 1, step: "any", value: 0, "aria-label": word("video", "moment") };
  const moment = h("input", { ...slider, oninput: () => go(Number(moment.value)) });
  const clock = h("span", { class: "video-clock" });
  const { button, show } = playButton((play) => (play ? film.play().catch(() => {}) : film.pause()));

  const length = () => (Number.isFinite(film.duration) ? film.duration : 0);
  function tick() {
    moment.value = length() ? film.currentTime / length() : 0;
    clock.textContent = `${seconds(film.currentTime)} / ${seconds(length())} s`;
    if (!film.paused && film.isConnected) requestAnimationFrame(tick);
  }
  function go(share) {
    film.pause();
    film.currentTime = share * length();
  }
  film.addEventListener("loadedmetadata", () => {
    crisp(film, film.videoWidth);
    tick();
    if (!wantsStillness()) film.play().catch(() => {});
  });
  film.addEventListener("play", () => (show(true), tick()));
  film.addEventListener("pause", () => show(false));
  film.addEventListener("timeupdate", tick);
  film.addEventListener("seeked", tick);
  film.addEventListener("error", () => stage.replaceChildren(h("p", {}, word("video", "damaged"))));
  stage.addEventListener("seek", ({ detail }) => go(detail));
  return [stage, h("div", { class: "video-bar" }, button, moment, clock)];
}

const seconds = (time) => number(time, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A GIF, or a drawing that moves; where the system wants stillness, its first moment until somebody presses play. */
function picture(url, alt) {
  const image = h("img", { src: url, alt });
  const stage = h("div", { class: "video-stage" }, image);
  image.addEventListener("load", () => crisp(image, image.naturalWidth));
  if (!wantsStillness()) return [stage];
  const still = h("canvas", { role: "img", ariaLabel: alt });
  image.addEventListener("load", () => {
    Object.assign(still, { width: image.naturalWidth, height: image.naturalHeight });
    still.getContext("2d").drawImage(image, 0, 0);
    crisp(still, still.width);
    stage.replaceChildren(still);
  });
  const { button, show } = playButton((play) => {
    show(play);
    stage.replaceChildren(play ? h("img", { src: url, alt }) : still);
  });
  return [stage, h("div", { class: "video-bar" }, button)];
}
