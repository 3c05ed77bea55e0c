// What is said in a medium, written down by a model that hears it, and saved as subtitles.

import { announce, h, icon, notice, quietButton } from "../dom.js";
import { viewerOf } from "../doors.js";
import { t } from "../i18n.js";
import { modalityOf } from "../media.js";
import { modelThat } from "../models.js";
import { FORMS, cuesOf, save, vttOf } from "../subtitles.js";

const LINES = "M4 6h16 M4 12h10 M4 18h13";
const asked = new WeakMap(); // part -> {srt, stop, isTold}: its views come and go, e.g. at every message

/** A button that has it written down, one that stops that, then what is said; nothing where no model hears it. */
export function saidView(part, app) {
  const modality = modalityOf(part);
  const { transcribe } = viewerOf(modality);
  const model = transcribe && modelThat(({ reads }) => reads.includes(modality));
  if (!model) return null;
  const view = h("div", { class: "transcript" });

  const offer = () => view.replaceChildren(quietButton(LINES, t("said.ask"), listen));

  function listen() {
    const running = new AbortController();
    const srt = transcribe(part, { model: model.id, signal: running.signal });
    asked.set(part, { srt, stop: () => running.abort(), isTold: false });
    follow();
    view.querySelector("button").focus();
  }

  async function follow() {
    const mine = asked.get(part);
    const stop = quietButton("stop", t("action.stop"), mine.stop);
    view.replaceChildren(h("p", { class: "small", role: "status" }, t("said.listening")), stop);
    try {
      tell(await mine.srt, mine);
    } catch (error) {
      if (asked.get(part) === mine) asked.delete(part);
      if (view.isConnected) fail(error);
    }
  }

  function fail(error) {
    const isHere = view.contains(document.activeElement);
    offer();
    if (isHere) view.querySelector("button").focus();
    const text = app.fail(error); // nothing where the person stopped it
    if (text) notice(text, { error: true, closeLabel: t("action.close") });
  }

  function tell(srt, mine) {
    const isHere = view.contains(document.activeElement); // who writes a message meanwhile goes on
    const cues = cuesOf(srt);
    if (!cues.length) {
      view.replaceChildren(h("p", { class: "small", role: "status" }, t("said.nothing")));
      return;
    }
    const lines = cues.map(({ start, text }) => h("li", {}, h("span", { class: "small" }, start), ` ${text}`));
    const files = h("div", { class: "row wrap" }, saving("SRT", srt, FORMS.srt), saving("VTT", vttOf(srt), FORMS.vtt));
    view.replaceChildren(h("ol", {}, ...lines), files);
    if (isHere) files.firstChild.focus();
    if (!mine.isTold && view.isConnected) announce(cues.map(({ text }) => text).join(" "));
    mine.isTold ||= view.isConnected;
  }

  if (asked.has(part)) follow();
  else offer();
  return view;
}

const saving = (name, words, form) =>
  h(
    "button",
    { type: "button", class: "quiet-button", "aria-label": t("said.save", { name }), onclick: () => save(words, form) },
    icon("download"),
    h("span", {}, name),
  );
