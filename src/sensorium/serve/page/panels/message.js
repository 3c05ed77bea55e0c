// One message on the screen: who says it, its parts through their viewers, and what can be done with it.

import { h, iconButton, notice } from "../dom.js";
import { viewerOf, word } from "../doors.js";
import { number, t } from "../i18n.js";
import { addressOf, modalityOf } from "../media.js";
import { formOf, save } from "../subtitles.js";
import { saidView } from "./said.js";

/** The words of a message. */
export const wordsOf = (message) =>
  message.content
    .filter((part) => part.type === "text")
    .map((part) => part.text)
    .join("")
    .trim();

/** A part through its modality's viewer; nothing where there are only codes, which no viewer can show. */
export function partView(part, alt, app) {
  if (part.type !== "text" && !addressOf(part)) return h("p", { class: "small" }, word(modalityOf(part), "name"));
  const actions = [{ icon: "eye", label: t("viewer.look"), run: () => app.look(part) }];
  const view = viewerOf(modalityOf(part)).show(part, { alt, actions });
  return h("div", { class: `part ${modalityOf(part)}` }, view, saidView(part, app));
}

/** A whole message. `again` is called when the person wants another answer; `request` words what was asked. */
export function messageView(message, { app, again, request = "" }) {
  const mine = message.role === "user";
  const alt = mine ? t("chat.alt.mine") : t("chat.alt.answer", { words: request });
  const parts = message.content.map((part) => partView(part, alt, app));
  const view = article(mine, message.thought ? thoughtView(message) : null, h("div", { class: "parts" }, ...parts));
  view.append(foot(message, mine, again));
  return view;
}

const unfolded = new WeakSet(); // messages whose thought the person has opened

/** What was thought before an answer, folded. */
function thoughtView(message) {
  const view = h(
    "details",
    { class: "thought", open: unfolded.has(message) },
    h("summary", {}, t("chat.thought")),
    h("p", {}, message.thought),
  );
  view.addEventListener("toggle", () => (view.open ? unfolded.add(message) : unfolded.delete(message)));
  return view;
}

function article(mine, ...children) {
  const name = mine ? t("chat.you") : t("chat.model");
  return h("article", { class: mine ? "message mine" : "message", "aria-label": name }, ...children);
}

function foot(message, mine, again) {
  const words = wordsOf(message);
  const items = [];
  if (message.problem) items.push(h("p", { class: "problem" }, message.problem));
  if (!mine && message.cut) items.push(h("span", { class: "small" }, t("chat.cut")));
  if (!mine && message.seconds) items.push(h("span", { class: "small" }, cost(message)));
  if (words && !mine) items.push(iconButton("copy", t("action.copy"), () => copy(words)));
  const form = mine ? null : formOf(words);
  if (form) items.push(iconButton("download", t("action.subtitles"), () => save(words, form)));
  if (again) items.push(iconButton("again", t("action.again"), again));
  return h("div", { class: "foot" }, ...items);
}

function cost({ seconds, energy_wh: energy }) {
  const time = t("chat.seconds", { seconds: number(seconds, { maximumFractionDigits: 1 }) });
  if (!energy) return time;
  return `${time} · ${number(energy * 1000, { maximumSignificantDigits: 2 })} mWh`;
}

export async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    notice(t("action.copied"));
  } catch {
    notice(t("error.copy"), { error: true, closeLabel: t("action.close") });
  }
}

/** An answer that is still being written, into `message`. */
export class GrowingAnswer {
  constructor(app, message, request) {
    this.app = app;
    this.message = message;
    this.alt = t("chat.alt.answer", { words: request });
    this.thought = null;
    this.parts = h("div", { class: "parts" });
    this.wait = h("div", { class: "wait" });
    this.element = article(false, this.parts, this.wait);
    this.element.setAttribute("aria-busy", "true");
    this.waiting(h("span", { class: "dots", "aria-hidden": "true" }), t("chat.thinking"));
  }

  addThought(text) {
    this.message.thought = (this.message.thought ?? "") + text;
    if (!this.thought) this.parts.before((this.thought = thoughtView(this.message)));
    this.thought.lastChild.textContent = this.message.thought;
  }

  /** More of the answer. One that begins with all that was thought is what seemed to be a thought until it ended. */
  addText(text) {
    if (!this.message.content.length && text.startsWith(this.message.thought)) this.dropThought();
    const last = this.message.content.at(-1);
    if (last?.type === "text") {
      last.text += text;
      this.parts.lastChild.replaceWith(partView(last, "", this.app));
    } else {
      this.addPart({ type: "text", text });
    }
    this.wait.replaceChildren();
  }

  dropThought() {
    this.thought?.remove();
    this.thought = null;
    delete this.message.thought;
  }

  addPart(part) {
    this.message.content.push(part);
    this.parts.append(partView(part, this.alt, this.app));
    this.wait.replaceChildren();
  }

  progress({ modality, done, total }) {
    const words = t("chat.making", { name: word(modality, "name") });
    const bar = h("progress", { "aria-label": words });
    if (total) Object.assign(bar, { max: total, value: done });
    const own = viewerOf(modality).waiting?.({ done, total });
    this.waiting(own ?? bar, words, own ? bar : null);
  }

  waiting(sign, words, bar = null) {
    if (bar) bar.classList.add("unseen");
    this.wait.replaceChildren(sign, h("span", { class: "small" }, words), ...(bar ? [bar] : []));
  }
}
