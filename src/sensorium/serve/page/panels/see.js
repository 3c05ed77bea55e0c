// What the model sees: a medium beside what can be made again from its codes, and the codes in colour.

import * as api from "../api.js";
import { announce, h, icon } from "../dom.js";
import { acceptOf, namesOf, ownWord, viewerOf, word } from "../doors.js";
import { number, t } from "../i18n.js";
import { addressOf, blobOf, modalityOf } from "../media.js";
import * as store from "../store.js";
import { codesView } from "./codes.js";
import { partOfFile } from "./files.js";

const MOST_RECENT = 8;

export function seePanel(root, app) {
  let part = null;
  let name = "";
  let result = null; // what /v1/tokenize said
  let problem = "";
  let running = null;
  let recent = []; // media of the conversations

  const media = () => (app.model?.reads ?? []).filter((modality) => modality !== "text");

  function render() {
    const title = h("h1", { id: "see-title" }, t("see.title"));
    const lead = h("p", { class: "lead" }, explanation());
    const status = problem ? [h("p", { class: "problem", role: "alert" }, problem)] : [];
    const body = running ? [busy()] : result ? views() : [];
    const choice = media().length ? [chooser()] : [];
    root.replaceChildren(h("div", { class: "column wide" }, title, lead, ...choice, ...status, ...body));
  }

  function explanation() {
    if (app.model && !media().length) return t("see.unable");
    const only = part ? modalityOf(part) : media().length === 1 ? media()[0] : "";
    return ownWord(only, "see.explain") ?? t("see.explain");
  }

  function chooser() {
    const input = h("input", { type: "file", id: "see-file", class: "unseen", accept: acceptOf(media()) });
    input.addEventListener("change", () => input.files.length && take(input.files));
    const choose = media().length === 1 ? word(media()[0], "open") : t("see.choose", { names: namesOf(media()) });
    const label = h(
      "label",
      { class: part ? "drop small-drop" : "drop", for: "see-file" },
      icon("attach"),
      h("strong", {}, part ? t("see.other") : choose),
      h("span", { class: "small" }, t("see.drop")),
    );
    return h("div", { class: "chooser" }, input, label, ...(part ? [] : recentList()));
  }

  /** Media of the conversations, to look at with one tap. */
  function recentList() {
    const known = recent.filter((one) => media().includes(modalityOf(one)));
    if (!known.length) return [];
    const buttons = known.map((one, at) => {
      const modality = modalityOf(one);
      const label = t("see.recent.one", { name: word(modality, "name"), number: number(at + 1) });
      const small = viewerOf(modality).thumbnail?.(one, label) ?? h("span", { class: "small" }, label);
      return h("li", {}, h("button", { type: "button", class: "thumb", onclick: () => look(one) }, small));
    });
    return [h("h2", {}, t("see.recent")), h("ul", { class: "recent" }, ...buttons)];
  }

  const busy = () =>
    h(
      "div",
      { class: "wait", "aria-busy": "true" },
      h("span", { class: "dots", "aria-hidden": "true" }),
      h("span", { class: "small" }, t("see.busy")),
    );

  async function take([file]) {
    try {
      const given = await partOfFile(file, media());
      if (given) await look(given, file.name);
    } catch (error) {
      problem = app.fail(error);
      render();
    }
  }

  /** Show a part as the model sees it. */
  async function look(wanted, called = "") {
    running?.abort();
    const mine = new AbortController();
    Object.assign(mine, { part: wanted });
    running = mine;
    part = wanted;
    name = called;
    result = null;
    problem = "";
    render();
    try {
      const found = await api.tokenize(app.model.id, bothWays(wanted), mine.signal);
      if (running !== mine) return;
      result = found;
      announce(t("see.done", { count: found.spans[0].codes.flat().length }));
    } catch (error) {
      if (running !== mine) return;
      problem = app.fail(error);
    }
    running = null;
    render();
    root.querySelector("#see-file")?.focus({ preventScroll: true });
  }

  /** As a person says it and, where the model can write its kind, as the model would: the codecs may differ. */
  function bothWays(wanted) {
    const roles = app.model.writes.includes(modalityOf(wanted)) ? ["user", "assistant"] : ["user"];
    return roles.map((role) => ({ role, content: [wanted] }));
  }

  function views() {
    const [read, written] = result.spans;
    if (!written || written.codec === read.codec) return spanView(read);
    const make = ownWord(modalityOf(part), "see.write") ?? t("see.write");
    return [h("h2", {}, t("see.read")), ...spanView(read), h("h2", {}, make), ...spanView(written)];
  }

  function spanView(span) {
    const marks = [];
    const codes = codesView(span, (place) => marks.forEach((mark) => mark(place)));
    const [count, books] = [number(codes.count), number(codes.books)];
    const note = codes.books > 1 ? t("see.codes.books", { count, books }) : t("see.codes.note", { count });
    const again = span.reconstruction;
    const figures = [
      figure(shown(part, name || t("see.original"), again && marks), t("see.original"), t("see.original.note")),
      figure(codes.element, t("see.codes"), note, "codes"),
    ];
    if (again) figures.push(figure(shown(again, t("see.again"), marks), t("see.again"), t("see.again.note")));
    return [
      h("div", { class: "figures" }, ...figures),
      codes.detail,
      facts(span, codes),
      ...(again ? [] : [h("p", { class: "small" }, word(modalityOf(part), "see.readonly"))]),
      curious(span),
    ];
  }

  /** A medium through its viewer; where that can mark a place, its marker joins `marks`. */
  function shown(one, alt, marks) {
    const viewer = viewerOf(modalityOf(one));
    const element = viewer.show(one, { alt });
    if (marks && viewer.marker) marks.push(viewer.marker(element));
    return element;
  }

  const figure = (content, title, note, kind = "") =>
    h(
      "figure",
      { class: `figure ${kind}` },
      h("div", { class: "frame" }, content),
      h("figcaption", {}, h("strong", {}, title), h("span", { class: "small" }, note)),
    );

  function facts(span, codes) {
    const fact = (value, words) => h("div", { class: "fact" }, h("strong", {}, value), h("span", {}, words));
    const bytes = Math.ceil(span.bits / 8);
    return h(
      "div",
      { class: "facts" },
      fact(number(codes.count), t("see.fact.tokens")),
      fact(number(codes.kinds), t("see.fact.kinds")),
      fact(number(Math.round(span.bits)), t("see.fact.bits", { bytes: number(bytes) })),
      fact(t("see.times", { times: number(Math.round(blobOf(addressOf(part)).size / bytes)) }), t("see.fact.smaller")),
    );
  }

  /** The tokens by name, for those who want to know. */
  function curious(span) {
    const rows = result.ids.slice(span.start, span.stop).map((id, at) => {
      return h(
        "tr",
        {},
        h("td", {}, number(span.start + at)),
        h("td", {}, h("code", {}, result.tokens[span.start + at])),
        h("td", {}, String(id)),
      );
    });
    const head = h(
      "tr",
      {},
      ...["place", "token", "id"].map((key) => h("th", { scope: "col" }, t(`see.table.${key}`))),
    );
    const table = h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows));
    return h(
      "details",
      { class: "curious" },
      h("summary", {}, t("see.curious")),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": t("see.curious") }, table),
    );
  }

  /** What was said since may be looked at, too. */
  async function readRecent() {
    recent = await store.recent(media(), MOST_RECENT);
    if (!part && app.isOpen("see")) render();
  }

  render();
  const modelChanged = () => {
    if (part && result && media().includes(modalityOf(part))) return look(part, name);
    [part, result, problem] = [null, null, ""];
    render();
    return readRecent();
  };
  return { look, take, shown: () => part || readRecent(), modelChanged, languageChanged: render };
}
