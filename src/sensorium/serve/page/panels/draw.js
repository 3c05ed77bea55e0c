// Words become pictures: several candidates at once, kept in this browser until they are cleared.

import * as api from "../api.js";
import { announce, confirmDialog, h, iconButton, quietButton } from "../dom.js";
import { number, t } from "../i18n.js";
import * as drawings from "../drawings.js";
import { mediaPart } from "../media.js";
import { viewerOf } from "../viewers/index.js";

const KEPT_SETS = 20;
const MOST = 8;

/** "a cat" as a request: "Draw a cat."; what already is a request stays. */
function requestFor(said) {
  const request = t("draw.request", { words: said });
  const verb = request.split(" ")[0].toLowerCase();
  return said.toLowerCase().startsWith(verb) ? said : request;
}

export function drawPanel(root, app) {
  let sets = []; // [{words, urls}], newest first
  let words = "";
  let count = 4;
  let running = null;
  let problem = "";

  function render() {
    const able = !app.model || app.model.writes.includes("image");
    const title = h("h1", { id: "draw-title" }, t("draw.title"));
    const explain = h("p", { class: "lead" }, able ? t("draw.explain") : t("draw.unable"));
    root.replaceChildren(h("div", { class: "column" }, title, explain, ...(able ? [form(), gallery()] : [])));
  }

  function form() {
    const input = h("input", {
      id: "draw-words",
      value: words,
      maxLength: 400,
      placeholder: t("draw.placeholder"),
      autocomplete: "off",
    });
    input.addEventListener("input", () => (words = input.value));
    const output = h("output", {}, number(count));
    const range = h("input", { id: "draw-count", type: "range", min: 1, max: MOST, value: count });
    range.addEventListener("input", () => {
      count = range.valueAsNumber;
      output.textContent = number(count);
    });
    const button = running
      ? h("button", { type: "button", class: "main-button", onclick: () => running.abort() }, t("action.stop"))
      : h("button", { class: "main-button" }, t("draw.go"));
    const submit = (event) => {
      event.preventDefault();
      if (words.trim()) draw(words.trim());
      else input.focus();
    };
    return h(
      "form",
      { class: "card ask", onsubmit: submit },
      h("label", { class: "field", for: "draw-words" }, h("span", {}, t("draw.words")), input),
      h(
        "label",
        { class: "field count", for: "draw-count" },
        h("span", {}, t("draw.count")),
        h("span", { class: "row" }, range, output),
      ),
      button,
      problem ? h("p", { class: "problem", role: "alert" }, problem) : null,
    );
  }

  function gallery() {
    const shown = sets.map((set) => setView(set));
    if (running) shown.unshift(waiting());
    if (!shown.length)
      return h(
        "div",
        { class: "empty" },
        h("div", { class: "sketch", "aria-hidden": "true" }, ...ideas()),
        h("p", {}, t("draw.empty")),
      );
    const clear = quietButton("trash", t("draw.clear"), async () => {
      if (!(await confirmDialog(t("draw.sure"), t("draw.clear"), t("action.cancel")))) return;
      sets = [];
      drawings.keep("sets", sets);
      render();
    });
    return h("div", { class: "gallery" }, ...shown, ...(sets.length ? [h("div", { class: "row end" }, clear)] : []));
  }

  const ideas = () => Array.from({ length: 5 }, () => h("i"));

  function waiting() {
    const blanks = Array.from({ length: running.count }, () => h("li", { class: "blank" }));
    return h(
      "section",
      { class: "set", "aria-busy": "true" },
      h("h2", {}, running.words),
      h("ul", { class: "pictures" }, ...blanks),
    );
  }

  function setView({ words: said, urls }) {
    const pictures = urls.map((url, at) => {
      const alt = t("draw.alt", { words: said, number: number(at + 1) });
      const part = mediaPart("image", url);
      const actions = [{ icon: "eye", label: t("viewer.look"), run: () => app.look(part) }];
      return h("li", {}, viewerOf("image").show(part, { alt, actions }));
    });
    const again = iconButton("again", t("action.again"), () => draw(said));
    return h(
      "section",
      { class: "set" },
      h("div", { class: "row between" }, h("h2", {}, said), again),
      h("ul", { class: "pictures" }, ...pictures),
    );
  }

  async function draw(said) {
    if (running) return;
    running = Object.assign(new AbortController(), { words: said, count });
    problem = "";
    render();
    root.querySelector(".main-button").focus();
    announce(t("draw.busy"));
    try {
      const urls = await api.draw(app.model.id, requestFor(said), count, running.signal);
      sets = [{ words: said, urls }, ...sets].slice(0, KEPT_SETS);
      drawings.keep("sets", sets);
      announce(t("draw.done", { count: urls.length }));
    } catch (error) {
      problem = app.fail(error);
    }
    running = null;
    const here = root.contains(document.activeElement) ? document.activeElement.id : null;
    render();
    const next = here ? root.querySelector(`#${here}`) : root.querySelector(".pictures .picture");
    if (here !== null) (next ?? root.querySelector("#draw-words")).focus({ preventScroll: true });
  }

  render();
  drawings.kept("sets").then((kept) => {
    sets = kept ?? [];
    if (!running && sets.length) render();
  });
  return { modelChanged: render, languageChanged: render, shown: () => {} };
}
