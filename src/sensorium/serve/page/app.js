// Starts the page: words, models, panels, and the way between them.

import * as api from "./api.js";
import { announce, h, notice, openDialog } from "./dom.js";
import { loadViewers, noteCards } from "./doors.js";
import { LANGUAGES, chooseLanguage, language, loadLanguage, t } from "./i18n.js";
import { onDamage } from "./kept.js";
import { noteModels } from "./models.js";
import { boardPanel } from "./panels/board.js";
import { chatPanel } from "./panels/chat.js";
import { historyList } from "./panels/history.js";
import { makePanel } from "./panels/make.js";
import { seePanel } from "./panels/see.js";
import { keepSetting, setting } from "./settings.js";
import * as store from "./store.js";

const MODEL = "sensorium.model";
const $ = (id) => document.getElementById(id);

/** What the panels share: the chosen model, and doors to one another. */
const app = {
  model: null, // {id, reads, writes, thinks, languages}
  say: (content, options) => (go("chat"), chat.say(content, options)),
  look: (part) => (go("see"), see.look(part)),
  open: (id) => (closeSide(), go("chat"), chat.open(id)),
  conversationsChanged: () => history.refresh(chat.current()),
  isOpen: (name) => !$(name).hidden,
  fail,
};

await loadLanguage();
await store.load();
const chat = await chatPanel($("chat"), app);
const panels = {
  chat,
  make: await makePanel($("make"), app),
  board: await boardPanel($("board"), app),
  see: seePanel($("see"), app),
};
const see = panels.see;
const history = historyList($("conversations"), $("new-conversation"), app);
fillLanguages();
app.conversationsChanged();
showPanel();
onDamage(() => notice(t("error.damaged"), { error: true, closeLabel: t("action.close") }));

window.addEventListener("hashchange", showPanel);
$("retry").addEventListener("click", connect);
$("menu").addEventListener("click", () => ($("side").classList.contains("open") ? closeSide() : openSide()));
$("shade").addEventListener("click", closeSide);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeSide());

window.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
window.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("over"));
window.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  receive(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  receive(event.clipboardData.files);
});
await connect();

/** Dropped or pasted files go to the panel in sight, or into a message. */
function receive(files) {
  if (!files.length) return;
  if (!app.isOpen("see")) go("chat");
  (app.isOpen("see") ? see : chat).take([...files]);
}

/** Show a failure as one clear sentence; a question for the API key where that is what is missing. */
function fail(error) {
  if (error.name === "AbortError") return "";
  if (error.status === 401) askKey();
  const text = sentenceOf(error);
  announce(text);
  return text;
}

function sentenceOf(error) {
  if (!(error instanceof api.ApiError)) return error.message;
  if (error.status === 0) return t("error.unreachable");
  if (error.status === 401) return t("error.key");
  if (error.status === 413) return t("error.large");
  if (error.status === 429 || error.status === 503) return t("error.busy");
  if (error.status >= 500) return t("error.server");
  return t("error.said", { message: error.message });
}

async function connect() {
  try {
    const [models, modalities] = await Promise.all([api.models(), api.modalities()]);
    noteCards(modalities);
    await fillModels(models);
    $("offline").hidden = true;
  } catch (error) {
    $("offline").hidden = false;
    $("offline").querySelector("p").textContent = fail(error);
  }
}

async function fillModels(models) {
  const kept = setting(MODEL, null, (id) => typeof id === "string");
  const first = models.find(({ id }) => id === kept) ?? models[0];
  await choose(first, models);
  const select = $("model");
  select.replaceChildren(...models.map(({ id }) => h("option", { value: id }, id)));
  select.value = first?.id ?? "";
  select.onchange = () => {
    keepSetting(MODEL, select.value);
    choose(models.find(({ id }) => id === select.value), models);
  };
  $("model-choice").hidden = models.length < 2;
}

async function choose(model, models) {
  app.model = { languages: [], ...model, reads: model?.reads ?? ["text"], writes: model?.writes ?? ["text"] };
  noteModels(model ? [model, ...models] : []);
  const told = models.flatMap(({ reads, writes }) => [...reads, ...writes]);
  const earlier = [...store.modalities(), ...panels.make.modalities()];
  await loadViewers([...told, ...earlier]);
  for (const panel of Object.values(panels)) panel.modelChanged();
}

function fillLanguages() {
  const select = $("language");
  select.replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code }, name)));
  select.value = language;
  select.addEventListener("change", async () => {
    await chooseLanguage(select.value);
    for (const panel of Object.values(panels)) panel.languageChanged();
    app.conversationsChanged();
  });
}

function askKey() {
  const input = h("input", { type: "password", autocomplete: "off", "aria-label": t("key.label") });
  const keep = (event) => {
    event.preventDefault();
    api.keepKey(input.value.trim());
    dialog.close();
    connect();
  };
  const button = h("button", { class: "main-button" }, t("key.keep"));
  const dialog = openDialog(t("key.label"), h("form", { onsubmit: keep }, h("p", {}, t("key.explain")), input, button));
  dialog.classList.add("small-dialog");
  input.focus();
}

function go(name) {
  if (location.hash === `#${name}`) showPanel();
  else location.hash = name;
  if (!app.isOpen(name)) showPanel();
}

function showPanel() {
  const wanted = location.hash.slice(1);
  const name = wanted in panels ? wanted : "chat";
  for (const key of Object.keys(panels)) {
    if (key !== name && app.isOpen(key)) panels[key].left?.();
    $(key).hidden = key !== name;
    const link = document.querySelector(`.tabs a[href="#${key}"]`);
    if (key === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("notices").replaceChildren();
  document.body.dataset.panel = name;
  document.title = `${t(`nav.${name}`)} · Sensorium`;
  panels[name].shown?.();
}

function openSide() {
  $("side").classList.add("open");
  $("menu").setAttribute("aria-expanded", "true");
  $("shade").hidden = false;
  $("main").inert = true;
  $("new-conversation").focus();
}

function closeSide() {
  if (!$("side").classList.contains("open")) return;
  $("side").classList.remove("open");
  $("menu").setAttribute("aria-expanded", "false");
  $("shade").hidden = true;
  $("main").inert = false;
  $("menu").focus();
}
