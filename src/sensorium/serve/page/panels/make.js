// Words become media: several attempts at once, kept in this browser until they are cleared.

import * as api from "../api.js";
import { keepMade, made } from "../database.js";
import { announce, confirmDialog, h, iconButton, quietButton } from "../dom.js";
import { viewerOf, word } from "../doors.js";
import { number, t } from "../i18n.js";
import { isSets } from "../kept.js";
import { sameness } from "../media.js";

const KEPT_SETS = 20;
const MOST = 8;

/** Words as the request that their modality words of them; what already begins as one stays. */
function requestFor(kind, said) {
  const request = word(kind, "make.request", { words: said });
  const [first] = request.split(" ");
  return said.toLowerCase().startsWith(first.toLowerCase()) ? said : request;
}

export async function makePanel(root, app) {
  let sets = (await made("sets", isSets)) ?? []; // [{words, kind, parts}], newest first
  let words = "";
  let chosen = ""; // the kind that was chosen, where there are several
  let count = 4;
  let running = null;
  let problem = "";

  const kinds = () => (app.model?.writes ?? []).filter((name) => name !== "text");
  const kind = () => (kinds().includes(chosen) ? chosen : kinds()[0]);

  function render() {
    const title = h("h1", { id: "make-title" }, t("make.title"));
    const able = kind() !== undefined;
    const lead = able ? word(kind(), "make.explain") : app.model ? t("make.unable") : "";
    const body = able ? [form(), gallery()] : [];
    root.replaceChildren(h("div", { class: "column" }, title, h("p", { class: "lead" }, lead), ...body));
  }

  function form() {
    const input = h("input", {
      id: "make-words",
      value: words,
      maxLength: 400,
      placeholder: word(kind(), "make.placeholder"),
      autocomplete: "off",
    });
    input.addEventListener("input", () => (words = input.value));
    const button = running
      ? h("button", { type: "button", class: "main-button", onclick: () => running.abort() }, t("action.stop"))
      : h("button", { class: "main-button" }, word(kind(), "make"));
    const submit = (event) => {
      event.preventDefault();
      if (words.trim()) make(kind(), words.trim());
      else input.focus();
    };
    return h(
      "form",
      { class: "card ask", onsubmit: submit },
      kindChoice(),
      h("label", { class: "field", for: "make-words" }, h("span", {}, word(kind(), "make.words")), input),
      countChoice(),
      button,
      problem ? h("p", { class: "problem", role: "alert" }, problem) : null,
    );
  }

  function kindChoice() {
    if (kinds().length < 2) return null;
    const options = kinds().map((name) => h("option", { value: name }, word(name, "name")));
    const select = h("select", { id: "make-kind" }, ...options);
    select.value = kind();
    select.addEventListener("change", () => {
      chosen = select.value;
      render();
      root.querySelector("#make-kind").focus();
    });
    return h("label", { class: "field kinds", for: "make-kind" }, h("span", {}, t("make.kind")), select);
  }

  function countChoice() {
    const output = h("output", {}, number(count));
    const range = h("input", { id: "make-count", type: "range", min: 1, max: MOST, value: count });
    range.addEventListener("input", () => {
      count = range.valueAsNumber;
      output.textContent = number(count);
    });
    const row = h("span", { class: "row" }, range, output);
    return h("label", { class: "field count", for: "make-count" }, h("span", {}, t("make.count")), row);
  }

  function gallery() {
    const shown = sets.map((set) => setView(set));
    if (running) shown.unshift(waiting());
    if (!shown.length) {
      const hints = h("div", { class: "hints", "aria-hidden": "true" }, ...Array.from({ length: 5 }, () => h("i")));
      return h("div", { class: "empty" }, hints, h("p", {}, t("make.empty")));
    }
    const clear = quietButton("trash", t("make.clear"), async () => {
      if (!(await confirmDialog(t("make.sure"), t("make.clear"), t("action.cancel")))) return;
      sets = [];
      keepMade("sets", sets);
      render();
    });
    return h("div", { class: "gallery" }, ...shown, ...(sets.length ? [h("div", { class: "row end" }, clear)] : []));
  }

  function waiting() {
    const blanks = Array.from({ length: running.count }, () => h("li", { class: "blank" }));
    return h(
      "section",
      { class: "set", "aria-busy": "true" },
      h("h2", {}, running.words),
      h("ul", { class: "attempts" }, ...blanks),
    );
  }

  function setView({ words: said, kind: of, parts }) {
    const attempts = parts.map((part, at) => {
      const alt = t("make.alt", { words: said, number: number(at + 1) });
      const actions = [{ icon: "eye", label: t("viewer.look"), run: () => app.look(part) }];
      return h("li", {}, viewerOf(of).show(part, { alt, actions }));
    });
    const able = kinds().includes(of);
    const again = able ? iconButton("again", t("action.again"), () => make(of, said)) : null;
    return h(
      "section",
      { class: "set" },
      h("div", { class: "row between" }, h("h2", {}, said), again),
      h("ul", { class: "attempts" }, ...attempts),
    );
  }

  async function make(of, said) {
    if (running) return;
    running = Object.assign(new AbortController(), { words: said, count });
    problem = "";
    render();
    root.querySelector(".main-button").focus();
    announce(t("make.busy"));
    try {
      const before = sets.filter((set) => set.kind === of && set.words === said);
      const options = { count, attempt: before.length, signal: running.signal };
      const all = await api.make(app.model.id, of, requestFor(of, said), options);
      const known = before.flatMap(({ parts }) => parts).map(sameness);
      const others = all.filter((part) => !known.includes(sameness(part)));
      const parts = others.length ? others : all;
      sets = [{ words: said, kind: of, parts }, ...sets].slice(0, KEPT_SETS);
      await keepMade("sets", sets);
      announce(t("make.done", { count: parts.length }));
    } catch (error) {
      problem = app.fail(error);
    }
    running = null;
    const here = root.contains(document.activeElement) ? document.activeElement.id : null;
    render();
    const next = root.querySelector(here ? `#${here}` : ".attempts :is(button, a, [controls], [tabindex])");
    if (here !== null) (next ?? root.querySelector("#make-words")).focus({ preventScroll: true });
  }

  render();
  return { modelChanged: render, languageChanged: render, modalities: () => sets.map(({ kind: of }) => of) };
}
