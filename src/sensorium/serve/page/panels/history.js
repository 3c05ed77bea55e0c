// The list of conversations: open, copy, download, delete.

import { confirmDialog, h, icon, iconButton } from "../dom.js";
import { suffixOf } from "../doors.js";
import { t } from "../i18n.js";
import { addressOf, blobOf, download, fileName, modalityOf } from "../media.js";
import * as store from "../store.js";
import { zip } from "../zip.js";
import { copy, wordsOf } from "./message.js";

const titleOf = (conversation) => conversation.title || t("history.untitled");

export function historyList(list, create, app) {
  let current = "";
  create.addEventListener("click", () => app.open(null));

  function refresh(id) {
    current = id;
    const items = store.all().map(item);
    list.replaceChildren(...(items.length ? items : [h("li", { class: "small" }, t("history.empty"))]));
  }

  function item(conversation) {
    const here = conversation.id === current;
    const title = titleOf(conversation);
    const open = h("button", { type: "button", class: "open", onclick: () => app.open(conversation.id) }, title);
    if (here) open.setAttribute("aria-current", "true");
    return h("li", { class: here ? "here" : "" }, open, menu(conversation, title));
  }

  /** What can be done with a conversation, folded away behind three dots. */
  function menu(conversation, title) {
    const entry = (name, label, run) =>
      h("button", { type: "button", onclick: () => ((details.open = false), run()) }, icon(name), h("span", {}, label));
    const media = mediaOf(conversation);
    const entries = [
      entry("copy", t("history.copy"), () => copy(asText(conversation))),
      entry("download", t("history.download"), () => saveJson(conversation.id, title)),
      ...(media.length ? [entry("attach", t("history.media"), () => saveMedia(conversation.id, title))] : []),
      entry("trash", t("history.delete"), () => forget(conversation, title)),
    ];
    const summary = h(
      "summary",
      { class: "icon-button", title: t("history.more"), "aria-label": `${t("history.more")}: ${title}` },
      icon("more"),
    );
    const details = h("details", { class: "menu" }, summary, h("div", {}, ...entries));
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      event.stopPropagation();
      details.open = false;
      summary.focus();
    });
    details.addEventListener("focusout", (event) => {
      if (!details.contains(event.relatedTarget)) details.open = false;
    });
    return details;
  }

  async function forget(conversation, title) {
    if (!(await confirmDialog(t("history.sure", { title }), t("history.delete"), t("action.cancel")))) return;
    await store.remove(conversation.id);
    if (conversation.id === current) app.open(store.all()[0]?.id);
    else app.conversationsChanged();
  }

  return { refresh };
}

const mediaOf = ({ messages }) => messages.flatMap(({ content }) => content).filter(({ type }) => type !== "text");

function asText({ messages }) {
  const line = (message) => {
    const media = mediaOf({ messages: [message] }).map((part) => `[${modalityOf(part)}]`);
    const name = message.role === "user" ? t("chat.you") : t("chat.model");
    return `${name}: ${[...media, wordsOf(message)].join(" ").trim()}`;
  };
  return messages.map(line).join("\n");
}

/** The conversation in the OpenAI form, as `sensorium train` reads it: what the model wrote keeps its codes. */
async function saveJson(id, title) {
  const { messages } = await store.open(id);
  const record = { messages: messages.map(({ role, content }) => ({ role, content })) };
  download(new Blob([`${JSON.stringify(record)}\n`], { type: "application/jsonl" }), `${fileName(title)}.jsonl`);
}

async function saveMedia(id, title) {
  const parts = mediaOf(await store.open(id)).filter(addressOf);
  const files = parts.map((part, at) => {
    const [modality, url] = [modalityOf(part), addressOf(part)];
    return { name: `${String(at + 1).padStart(2, "0")}-${modality}.${suffixOf(modality, url)}`, blob: blobOf(url) };
  });
  download(await zip(files), `${fileName(title)}.zip`);
}
