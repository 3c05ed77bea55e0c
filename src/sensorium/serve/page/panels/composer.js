// Where the next message is made: words, media from files, clipboard, dropping or a viewer's own recorder, and the kind
// of answer.

import { announce, h, icon, iconButton, notice, quietButton } from "../dom.js";
import { acceptOf, namesOf, viewerOf, word } from "../doors.js";
import { t } from "../i18n.js";
import { modalityOf, textPart } from "../media.js";
import { keepSetting, setting } from "../settings.js";
import { partOfFile } from "./files.js";
import { saidView } from "./said.js";

const THINK = "sensorium.think";

/** Fills `form`. Calls send(content, {want}) and stop(); the result lets the panel steer it. */
export function composer(form, app, { send, stop }) {
  let attached = []; // [{part, name}]
  let opening = Promise.resolve(); // settles when all files so far are opened
  let busy = false;
  let draft = "";
  let want = "";
  let input, shelf, go;

  const media = () => (app.model?.reads ?? []).filter((modality) => modality !== "text");

  function render() {
    input = h("textarea", {
      rows: 1,
      value: draft,
      placeholder: t("chat.placeholder"),
      "aria-label": t("chat.message"),
    });
    input.addEventListener("input", () => {
      draft = input.value;
      grow();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    });
    shelf = h("ul", { class: "shelf", "aria-label": t("chat.attached") });
    go = h("button", { class: "send" }, icon("send"));
    form.replaceChildren(shelf, input, h("div", { class: "tools" }, ...doors(), kindChoice(), thinkChoice(), go));
    showAttached();
    setBusy(busy);
  }

  /** Let the field be as high as its words, in browsers that do not do so by themselves. */
  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
  }

  /** Buttons by which media come in: one for files, one per viewer that records by itself. */
  function doors() {
    if (!media().length) return [];
    const chooser = h("input", { type: "file", multiple: true, hidden: true, accept: acceptOf(media()) });
    chooser.addEventListener("change", async () => {
      await attach([...chooser.files]);
      chooser.value = "";
    });
    const buttons = [
      chooser,
      iconButton("attach", t("chat.attach", { names: namesOf(media()) }), () => chooser.click(), {
        class: "icon-button attach",
      }),
    ];
    for (const modality of media().filter((name) => viewerOf(name).capture)) {
      const capture = async () => {
        const file = await viewerOf(modality).capture();
        if (file) await attach([file], [modality]);
        input.focus();
      };
      buttons.push(iconButton(viewerOf(modality).captureIcon ?? "record", word(modality, "capture"), capture));
    }
    return buttons;
  }

  function kindChoice() {
    const kinds = app.model?.writes ?? [];
    if (kinds.length < 2) return h("span", { class: "grow" });
    const options = kinds.map((kind) =>
      h("option", { value: kind }, t("chat.kind.only", { kind: word(kind, "name") })),
    );
    const select = h(
      "select",
      { "aria-label": t("chat.kind") },
      h("option", { value: "" }, t("chat.kind.any")),
      ...options,
    );
    select.value = kinds.includes(want) ? want : "";
    select.addEventListener("change", () => (want = select.value));
    return h("div", { class: "kind grow" }, select);
  }

  /** Whether the model is to think before it answers; shown where it can. It stays as the person leaves it. */
  function thinkChoice() {
    if (!app.model?.thinks) return null;
    const change = ({ currentTarget: button }) => {
      keepSetting(THINK, !thinks());
      button.setAttribute("aria-pressed", thinks());
    };
    return quietButton("think", t("chat.think"), change, {
      class: "quiet-button think",
      title: t("chat.think.how"),
      "aria-pressed": thinks(),
    });
  }

  const thinks = () => Boolean(app.model?.thinks) && setting(THINK, false, (value) => typeof value === "boolean");

  /** Add files, of one of `kinds`. */
  function attach(files, kinds = media()) {
    opening = opening.then(() => open(files, kinds));
    return opening;
  }

  async function open(files, kinds) {
    for (const file of files) {
      try {
        const part = await partOfFile(file, kinds);
        if (!part) continue;
        attached.push({ part, name: file.name });
        announce(t("chat.added", { name: file.name }));
      } catch (error) {
        notice(error.message, { error: true, closeLabel: t("action.close") });
      }
    }
    showAttached();
    input.focus();
  }

  function showAttached() {
    const items = attached.map((item) => {
      const take = () => {
        attached = attached.filter((other) => other !== item);
        showAttached();
        input.focus();
      };
      const view = viewerOf(modalityOf(item.part)).show(item.part, { alt: item.name });
      return h("li", {}, view, saidView(item.part, app), iconButton("close", t("chat.remove", { name: item.name }), take));
    });
    shelf.replaceChildren(...items);
    shelf.hidden = items.length === 0;
  }

  /** Sends what was attached before, too, however long it takes to open. */
  async function submit() {
    await opening;
    const words = draft.trim();
    if (busy || (!words && !attached.length)) return;
    const content = [...attached.map(({ part }) => part), ...(words ? [textPart(words)] : [])];
    attached = [];
    draft = "";
    input.value = "";
    grow();
    showAttached();
    send(content, { want });
  }

  function setBusy(now) {
    busy = now;
    const label = busy ? t("action.stop") : t("chat.send");
    go.type = busy ? "button" : "submit";
    go.title = label;
    go.setAttribute("aria-label", label);
    go.replaceChildren(icon(busy ? "stop" : "send"));
    go.onclick = busy ? stop : null;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  render();
  return {
    render,
    attach,
    setBusy,
    thinks,
    focus: () => input.focus(),
    openFiles: () => form.querySelector(".attach")?.click(),
  };
}
