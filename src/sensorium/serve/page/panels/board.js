// The board: tap symbols to build a sentence in one of five languages, have it said, and send it to the model.
// A model that writes media of which small still views can be shown may make every symbol itself, one at a time.

import * as api from "../api.js";
import { keepMade, made } from "../database.js";
import { announce, h, icon, iconButton, notice, quietButton, symbol } from "../dom.js";
import { viewerOf, word } from "../doors.js";
import { language, t } from "../i18n.js";
import { isPart } from "../kept.js";
import { textPart } from "../media.js";
import { keepSetting, setting } from "../settings.js";
import { hush, say, voiceFor } from "../voice.js";

const BOARD_LANGUAGES = { en: "English", fr: "Français", es: "Español", de: "Deutsch", it: "Italiano" };
const KEPT = "sensorium.board";

const isWhole = (kept) =>
  typeof kept?.made === "boolean" &&
  ["boolean", "undefined"].includes(typeof kept.spoken) && // earlier versions kept none
  (kept.tongue === null || Object.hasOwn(BOARD_LANGUAGES, kept.tongue));

export async function boardPanel(root, app) {
  const { groups } = await (await fetch("page/board/concepts.json")).json();
  const settings = { spoken: true, ...setting(KEPT, { tongue: null, made: false }, isWhole) };
  let group = groups[0];
  let sentence = []; // concepts
  let remake = false;
  let saying = null; // while the sentence is said
  const symbols = new Map(); // concept id -> part, by the chosen model
  const waiting = []; // concepts to be made
  let making = null; // the concept that is being made
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) wantSymbol(target.concept);
  });

  const tongue = () => settings.tongue ?? (language in BOARD_LANGUAGES ? language : "en");
  const nameOf = (concept) => concept.names[tongue()];
  const kind = () => app.model?.writes.find((name) => viewerOf(name).thumbnail);
  const keyOf = (concept) => `symbol:${app.model.id}:${concept.id}`;
  const words = () => sentence.map(nameOf).join(" ");

  function keepSettings() {
    keepSetting(KEPT, settings);
  }

  function render() {
    hush();
    saying = null;
    const title = h("h1", { id: "board-title" }, t("board.title"));
    const top = h("div", { class: "row between wrap" }, title, h("div", { class: "row wrap" }, ...choices()));
    root.replaceChildren(h("div", { class: "column wide" }, top, strip(), tabs(), grid()));
  }

  function choices() {
    const options = Object.entries(BOARD_LANGUAGES).map(([code, name]) => h("option", { value: code }, name));
    const select = h("select", { "aria-label": t("board.language") }, ...options);
    select.value = tongue();
    select.addEventListener("change", () => {
      settings.tongue = select.value;
      keepSettings();
      render();
      root.querySelector("select").focus();
    });
    const aloud = h("input", { type: "checkbox", checked: settings.spoken });
    aloud.addEventListener("change", () => {
      settings.spoken = aloud.checked;
      keepSettings();
      hush();
    });
    const always = [labelled(aloud, t("board.spoken")), select];
    if (!kind()) return always;
    const own = h("input", { type: "checkbox", class: "own", checked: settings.made });
    own.addEventListener("change", () => {
      settings.made = own.checked;
      remake = false;
      waiting.length = 0;
      keepSettings();
      render();
      root.querySelector(".own").focus();
    });
    const again = h(
      "button",
      { type: "button", class: "quiet-button toggle", onclick: toggleRemake },
      icon("again"),
      h("span", {}, t("board.remake")),
    );
    again.setAttribute("aria-pressed", remake);
    return [labelled(own, t("board.made")), ...(settings.made ? [again] : []), ...always];
  }

  const labelled = (input, words) => h("label", { class: "switch" }, input, h("span", {}, words));

  function toggleRemake() {
    remake = !remake;
    root.querySelector(".toggle").setAttribute("aria-pressed", remake);
    root.querySelector(".symbols").classList.toggle("remake", remake);
    if (remake) notice(t("board.remake.how"));
  }

  function strip() {
    const list = h("ol", { class: "sentence", lang: tongue(), "aria-label": t("board.sentence") });
    const text = h("p", { class: "said", lang: tongue() });
    const send = h("button", { type: "button", class: "main-button", onclick: sendSentence }, t("board.send"));
    const bar = h(
      "div",
      { class: "row" },
      iconButton("back", t("board.back"), takeLast, { class: "icon-button back" }),
      iconButton("trash", t("board.clear"), clear),
      sayButton(),
      send,
    );
    const box = h("div", { class: "card strip" }, h("div", { class: "built" }, list, text, voiceLine()), bar);
    fillStrip(box);
    return box;
  }

  function fillStrip(box = root.querySelector(".strip")) {
    const items = sentence.map((concept, at) => {
      const remove = () => {
        sentence.splice(at, 1);
        fillStrip();
        focusStrip(at);
      };
      const label = t("board.remove", { word: nameOf(concept) });
      return h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "piece", title: label, "aria-label": label, onclick: remove },
          sign(concept),
          h("span", {}, nameOf(concept)),
        ),
      );
    });
    box.querySelector(".sentence").replaceChildren(...items);
    box.querySelector(".said").textContent = sentence.length ? asSentence() : t("board.empty");
    box.classList.toggle("blank", !sentence.length);
    for (const button of box.querySelectorAll(".row button")) button.disabled = !sentence.length;
  }

  function focusStrip(at) {
    const pieces = root.querySelectorAll(".piece");
    (pieces[Math.min(at, pieces.length - 1)] ?? root.querySelector(".symbol")).focus();
  }

  function asSentence() {
    const text = words();
    return `${text[0].toLocaleUpperCase(tongue())}${text.slice(1)}.`;
  }

  function takeLast() {
    hush();
    sentence.pop();
    fillStrip();
    announce(sentence.length ? words() : t("board.empty"));
    if (!sentence.length) root.querySelector(".symbol").focus();
  }

  function clear() {
    hush();
    sentence = [];
    fillStrip();
    root.querySelector(".symbol").focus();
  }

  /** Says the sentence, and stops it while it is said. */
  const sayButton = () =>
    saying
      ? quietButton("stop", t("action.stop"), hush, { class: "quiet-button say" })
      : quietButton("say", t("board.say"), saySentence, { class: "quiet-button say", disabled: !sentence.length });

  function showSaying(now) {
    saying = now;
    const before = root.querySelector(".say");
    const focused = before === document.activeElement;
    const button = sayButton();
    before.replaceWith(button);
    if (focused) button.focus();
  }

  async function saySentence() {
    const mine = {};
    const named = BOARD_LANGUAGES[tongue()];
    showSaying(mine);
    const isSaid = await speak(asSentence());
    if (saying === mine) showSaying(null);
    if (!isSaid) notice(t("board.mute", { language: named }), { error: true, closeLabel: t("action.close") });
  }

  /** Whether there is a voice to say words with; other failures are told. */
  async function speak(text) {
    try {
      return await say(text, tongue(), (voice, failed) => {
        nameVoice(root.querySelector(".voice"), voice);
        if (failed) notice(t("board.said", { model: failed.name, voice: voice.name }));
      });
    } catch (error) {
      notice(app.fail(error), { error: true, closeLabel: t("action.close") });
      return true;
    }
  }

  /** Names the voice that speaks. */
  function voiceLine() {
    const line = h("p", { class: "small voice" });
    voiceFor(tongue()).then((voice) => line.voice || nameVoice(line, voice));
    return line;
  }

  function nameVoice(line, voice) {
    line.voice = voice;
    if (!voice) line.textContent = t("board.voice.none", { language: BOARD_LANGUAGES[tongue()] });
    else if (voice.isModel) line.textContent = t("board.voice.model", { model: voice.name });
    else line.textContent = t("board.voice.browser", { voice: voice.name });
  }

  function sendSentence() {
    const text = asSentence();
    hush();
    sentence = [];
    fillStrip();
    app.say([textPart(text)]);
  }

  function tabs() {
    const buttons = groups.map((one) => {
      const choose = () => {
        group = one;
        waiting.length = 0;
        for (const button of root.querySelectorAll(".groups button"))
          button.setAttribute("aria-pressed", button.group === group);
        root.querySelector(".symbols").replaceWith(grid());
      };
      const button = h(
        "button",
        { type: "button", class: "chip", onclick: choose, group: one },
        symbol(`group-${one.id}`),
        h("span", {}, nameOf(one)),
      );
      button.setAttribute("aria-pressed", one === group);
      return button;
    });
    return h("div", { class: "groups", role: "group", lang: tongue(), "aria-label": t("board.groups") }, ...buttons);
  }

  function grid() {
    seen.disconnect();
    const cells = group.concepts.map((concept) => {
      const button = h(
        "button",
        { type: "button", class: "symbol", onclick: () => tap(concept), concept },
        sign(concept),
        h("span", { class: "label" }, nameOf(concept)),
      );
      if (settings.made && kind()) seen.observe(button);
      return h("li", {}, button);
    });
    return h("ul", { class: remake ? "symbols remake" : "symbols", lang: tongue() }, ...cells);
  }

  /** What the model has made of a concept, else the board's own symbol. */
  function sign(concept) {
    const part = settings.made && symbols.get(concept.id);
    const inner = part ? viewerOf(kind()).thumbnail(part, "") : symbol(concept.id);
    const busy = settings.made && making === concept ? " busy" : "";
    return h("span", { class: `sign${busy}`, "aria-hidden": "true" }, inner);
  }

  function tap(concept) {
    hush();
    if (remake) {
      symbols.delete(concept.id);
      waiting.unshift(concept);
      makeNext();
      return;
    }
    sentence.push(concept);
    fillStrip();
    announce(words());
    if (settings.spoken) speak(nameOf(concept));
  }

  /** Ask for a symbol by the model: the kept one at once, else it waits for its turn. */
  async function wantSymbol(concept) {
    if (symbols.has(concept.id) || waiting.includes(concept) || making === concept) return;
    const key = keyOf(concept);
    const part = await made(key, isPart);
    if (key !== keyOf(concept)) return;
    if (part) {
      symbols.set(concept.id, part);
      showSign(concept);
    } else if (!waiting.includes(concept) && group.concepts.includes(concept)) {
      waiting.push(concept);
      makeNext();
    }
  }

  /** Make what waits, one symbol at a time, while the board is in sight. */
  async function makeNext() {
    if (making || !waiting.length || !settings.made || !app.isOpen("board")) return;
    const concept = waiting.shift();
    const key = keyOf(concept);
    making = concept;
    showSign(concept);
    try {
      const request = word(kind(), "make.request", { words: concept.prompt }, "en");
      const [part] = await api.make(app.model.id, kind(), request);
      if (part) keepMade(key, part);
      if (part && key === keyOf(concept)) symbols.set(concept.id, part);
    } catch (error) {
      waiting.length = 0;
      notice(app.fail(error), { error: true, closeLabel: t("action.close") });
    }
    making = null;
    showSign(concept);
    makeNext();
  }

  function showSign(concept) {
    for (const button of root.querySelectorAll(".symbol")) {
      if (button.concept === concept) button.querySelector(".sign").replaceWith(sign(concept));
    }
    if (sentence.includes(concept)) fillStrip();
  }

  function modelChanged() {
    symbols.clear();
    waiting.length = 0;
    render();
  }

  render();
  return { modelChanged, languageChanged: render, shown: makeNext, left: hush };
}
