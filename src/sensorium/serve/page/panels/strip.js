// Codes of a medium in time: a strip from left to right, a line for each codebook, filled in one go, however long it is.
// It is one control: the pointer or the arrow keys move along it.

import { h } from "../dom.js";
import { number, t } from "../i18n.js";
import { colourOf } from "./colours.js";

const WIDTH_PX = 1200;
const LINE_PX = 22;
const PAGE = 10; // frames that Page Up and Page Down go

/** The strip of a layout (see codes.js). */
export function strip({ frames, rate_hz: rate }, detail, mark) {
  let at = 0;
  const canvas = filled(frames);
  const cursor = h("div", { class: "cursor", hidden: true });
  const element = h("div", { class: "strip-view", role: "slider", tabIndex: 0, "aria-label": t("see.codes") });
  element.append(canvas, cursor);
  element.setAttribute("aria-valuemin", 1);
  element.setAttribute("aria-valuemax", frames.length);
  element.addEventListener("pointermove", (event) => point(under(event)));
  element.addEventListener("pointerdown", (event) => point(under(event)));
  element.addEventListener("pointerleave", () => document.activeElement === element || leave());
  element.addEventListener("focus", () => point(at));
  element.addEventListener("blur", leave);
  element.addEventListener("keydown", walk);
  describe();
  leave();
  return element;

  function under({ clientX }) {
    const { left, width } = canvas.getBoundingClientRect();
    return Math.min(frames.length - 1, Math.max(0, Math.floor(((clientX - left) / width) * frames.length)));
  }

  function point(frame) {
    at = frame;
    const words = describe();
    const same = frames.filter((other) => String(other) === String(frames[at])).length;
    detail.textContent = same > 1 ? `${words} ${t("see.same", { count: number(same) })}` : words;
    const x = [at / frames.length, (at + 1) / frames.length];
    cursor.hidden = false;
    cursor.style.left = `${x[0] * 100}%`;
    cursor.style.width = `${(x[1] - x[0]) * 100}%`;
    mark({ x });
  }

  function leave() {
    cursor.hidden = true;
    detail.textContent = t("see.hover.strip");
    mark(null);
  }

  function describe() {
    const values = { number: number(at + 1), count: number(frames.length), code: frames[at].join(" · ") };
    const seconds = rate && number(at / rate, { maximumFractionDigits: 2 });
    const words = rate ? t("see.moment", { ...values, seconds }) : t("see.piece", values);
    element.setAttribute("aria-valuenow", at + 1);
    element.setAttribute("aria-valuetext", words);
    return words;
  }

  function walk(event) {
    const last = frames.length - 1;
    const next = {
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      PageUp: at + PAGE,
      PageDown: at - PAGE,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    point(Math.min(last, Math.max(0, next)));
  }
}

function filled(frames) {
  const books = frames[0].length;
  const wide = Math.max(1, Math.floor(WIDTH_PX / frames.length));
  const canvas = h("canvas", { width: wide * frames.length, height: LINE_PX * books, "aria-hidden": "true" });
  canvas.style.height = `${canvas.height}px`; // however narrow the page is
  const context = canvas.getContext("2d");
  const gap = wide > 8 ? 1 : 0;
  frames.forEach((frame, at) =>
    frame.forEach((code, book) => {
      context.fillStyle = colourOf(code, book);
      context.fillRect(at * wide, book * LINE_PX, wide - gap, LINE_PX - (books > 1 ? 1 : 0));
    }),
  );
  return canvas;
}
