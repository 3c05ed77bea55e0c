// The picture board: tap symbols to build a sentence in one of five languages, and send it to the model.
// Every symbol can be drawn by the model itself, one at a time, and is then kept in this browser.

import * as api from "../api.js";
import { announce, h, icon, iconButton, notice } from "../dom.js";
import { language, t } from "../i18n.js";
import * as drawings from "../drawings.js";
import { textPart } from "../media.js";
import { crisp } from "../lightbox.js";

const BOARD_LANGUAGES = { en: "English", fr: "Français", es: "Español", de: "Deutsch", it: "Italiano" };
const KEPT = "sensorium.board";

export async function boardPanel(root, app) {
  const { groups } = await (await fetch("page/board/concepts.json")).json();
  const settings = { tongue: null, drawn: false, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  let group = groups[0];
  let sentence = []; // concepts
  let redraw = false;
  const pictures = new Map(); // concept id -> data URI, of the chosen model
  const waiting = []; // concepts to be drawn
  let drawing = null; // the concept that is being drawn
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) wantPicture(target.concept);
  });

  const tongue = () => settings.tongue ?? (language in BOARD_LANGUAGES ? language : "en");
  const nameOf = (concept) => concept.names[tongue()];
  const drawable = () => app.model?.writes.includes("image");
  const keyOf = (concept) => `symbol:${app.model.id}:${concept.id}`;
  const words = () => sentence.map(nameOf).join(" ");

  function keepSettings() {
    localStorage.setItem(KEPT, JSON.stringify(settings));
  }

  function render() {
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
    if (!drawable()) return [select];
    const drawn = h("input", { type: "checkbox", checked: settings.drawn });
    drawn.addEventListener("change", () => {
      settings.drawn = drawn.checked;
      redraw = false;
      waiting.length = 0;
      keepSettings();
      render();
      root.querySelector("input[type=checkbox]").focus();
    });
    const again = h(
      "button",
      { type: "button", class: "quiet-button toggle", onclick: toggleRedraw },
      icon("again"),
      h("span", {}, t("board.redraw")),
    );
    again.setAttribute("aria-pressed", redraw);
    return [
      h("label", { class: "switch" }, drawn, h("span", {}, t("board.drawn"))),
      ...(settings.drawn ? [again] : []),
      select,
    ];
  }

  function toggleRedraw() {
    redraw = !redraw;
    root.querySelector(".toggle").setAttribute("aria-pressed", redraw);
    root.querySelector(".symbols").classList.toggle("redraw", redraw);
    if (redraw) notice(t("board.redraw.how"));
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
      send,
    );
    const box = h("div", { class: "card strip" }, h("div", { class: "built" }, list, text), bar);
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
    sentence.pop();
    fillStrip();
    announce(sentence.length ? words() : t("board.empty"));
    if (!sentence.length) root.querySelector(".symbol").focus();
  }

  function clear() {
    sentence = [];
    fillStrip();
    root.querySelector(".symbol").focus();
  }

  function sendSentence() {
    const text = asSentence();
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
        h("span", { class: "emoji", "aria-hidden": "true" }, one.symbol),
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
      if (settings.drawn && drawable()) seen.observe(button);
      return h("li", {}, button);
    });
    return h("ul", { class: redraw ? "symbols redraw" : "symbols", lang: tongue() }, ...cells);
  }

  /** The drawing of a concept where the model has made one, else a character that stands for it. */
  function sign(concept) {
    const url = settings.drawn && pictures.get(concept.id);
    const inner = url ? h("img", { src: url, alt: "", onload: crisp }) : h("span", { class: "emoji" }, concept.symbol);
    const busy = settings.drawn && drawing === concept ? " busy" : "";
    return h("span", { class: `sign${busy}`, "aria-hidden": "true" }, inner);
  }

  function tap(concept) {
    if (redraw) {
      pictures.delete(concept.id);
      waiting.unshift(concept);
      drawNext();
      return;
    }
    sentence.push(concept);
    fillStrip();
    announce(words());
  }

  /** Ask for a symbol's drawing: the kept one at once, else it waits for its turn. */
  async function wantPicture(concept) {
    if (pictures.has(concept.id) || waiting.includes(concept) || drawing === concept) return;
    const model = app.model.id;
    const url = await drawings.kept(keyOf(concept));
    if (model !== app.model.id) return;
    if (url) {
      pictures.set(concept.id, url);
      showSign(concept);
    } else if (!waiting.includes(concept) && group.concepts.includes(concept)) {
      waiting.push(concept);
      drawNext();
    }
  }

  /** Draw what waits, one symbol at a time, while the board is in sight. */
  async function drawNext() {
    if (drawing || !waiting.length || !settings.drawn || !app.isOpen("board")) return;
    const concept = waiting.shift();
    const key = keyOf(concept);
    drawing = concept;
    showSign(concept);
    try {
      const [url] = await api.draw(app.model.id, `Draw ${concept.draw}.`, 1);
      drawings.keep(key, url);
      if (key === keyOf(concept)) pictures.set(concept.id, url);
    } catch (error) {
      waiting.length = 0;
      notice(app.fail(error), { error: true, closeLabel: t("action.close") });
    }
    drawing = null;
    showSign(concept);
    drawNext();
  }

  function showSign(concept) {
    for (const button of root.querySelectorAll(".symbol")) {
      if (button.concept === concept) button.querySelector(".sign").replaceWith(sign(concept));
    }
    if (sentence.includes(concept)) fillStrip();
  }

  function modelChanged() {
    pictures.clear();
    waiting.length = 0;
    render();
  }

  render();
  return { modelChanged, languageChanged: render, shown: drawNext };
}
