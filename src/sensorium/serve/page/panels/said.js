// What is said in a medium, written down by a model that hears it, and saved as subtitles.

import { announce, h, icon, notice, quietButton } from "../dom.js";
import { viewerOf } from "../doors.js";
import { t } from "../i18n.js";
import { modalityOf } from "../media.js";
import { modelThat } from "../models.js";
import { FORMS, cuesOf, save, vttOf } from "../subtitles.js";

const LINES = "M4 6h16 M4 12h10 M4 18h13";

/** A button that has it written down, and then what is said; nothing where no model offered hears it. */
export function saidView(part, app) {
  const modality = modalityOf(part);
  const { transcribe } = viewerOf(modality);
  const model = transcribe && modelThat(({ reads }) => reads.includes(modality));
  if (!model) return null;
  const view = h("div", { class: "transcript" });

  const offer = () => view.replaceChildren(quietButton(LINES, t("said.ask"), listen));

  async function listen() {
    view.replaceChildren(h("p", { class: "small", role: "status" }, t("said.listening")));
    try {
      tell(await transcribe(part, { model: model.id }));
    } catch (error) {
      offer();
      notice(app.fail(error), { error: true, closeLabel: t("action.close") });
    }
  }

  function tell(srt) {
    const cues = cuesOf(srt);
    if (!cues.length) {
      view.replaceChildren(h("p", { class: "small", role: "status" }, t("said.nothing")));
      return;
    }
    const lines = cues.map(({ start, text }) => h("li", {}, h("span", { class: "small" }, start), ` ${text}`));
    const files = h("div", { class: "row wrap" }, saving("SRT", srt, FORMS.srt), saving("VTT", vttOf(srt), FORMS.vtt));
    view.replaceChildren(h("ol", {}, ...lines), files);
    announce(cues.map(({ text }) => text).join(" "));
    files.firstChild.focus();
  }

  offer();
  return view;
}

const saving = (name, words, form) =>
  h(
    "button",
    { type: "button", class: "quiet-button", "aria-label": t("said.save", { name }), onclick: () => save(words, form) },
    icon("download"),
    h("span", {}, name),
  );
