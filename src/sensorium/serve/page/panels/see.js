// What the model sees: a medium beside what can be made again from its codes, and the codes as coloured tiles.

import * as api from "../api.js";
import { announce, h, icon } from "../dom.js";
import { number, t } from "../i18n.js";
import { blobOf, mediaPart, modalityOf, urlOf } from "../media.js";
import { modalityOfFile, viewerOf } from "../viewers/index.js";
import * as store from "../store.js";
import { tileGrid } from "./tiles.js";

const MOST_RECENT = 8;

export function seePanel(root, app) {
  let part = null;
  let name = "";
  let result = null; // what /v1/tokenize said
  let problem = "";
  let running = null;

  const media = () => (app.model?.reads ?? []).filter((modality) => modality !== "text");

  function render() {
    const title = h("h1", { id: "see-title" }, t("see.title"));
    const lead = h("p", { class: "lead" }, t("see.explain"));
    const status = problem ? [h("p", { class: "problem", role: "alert" }, problem)] : [];
    const body = running ? [busy()] : result ? views() : [];
    root.replaceChildren(h("div", { class: "column wide" }, title, lead, chooser(), ...status, ...body));
  }

  function chooser() {
    const accept = media()
      .map((modality) => viewerOf(modality).accept)
      .filter(Boolean)
      .join(",");
    const input = h("input", { type: "file", id: "see-file", class: "unseen", accept });
    input.addEventListener("change", () => input.files.length && take(input.files));
    const text = part ? t("see.other") : t("see.choose");
    const label = h(
      "label",
      { class: part ? "drop small-drop" : "drop", for: "see-file" },
      icon("attach"),
      h("strong", {}, text),
      h("span", { class: "small" }, t("see.drop")),
    );
    return h("div", { class: "chooser" }, input, label, ...(part ? [] : recent()));
  }

  /** Media of the conversations, to look at with one tap. */
  function recent() {
    const parts = store.all().flatMap(({ messages }) => messages.flatMap(({ content }) => content));
    const known = parts
      .filter((one) => media().includes(modalityOf(one)) && viewerOf(modalityOf(one)).thumbnail)
      .slice(0, MOST_RECENT);
    if (!known.length) return [];
    const buttons = known.map((one, at) => {
      const thumbnail = viewerOf(modalityOf(one)).thumbnail(one, t("see.recent.one", { number: number(at + 1) }));
      return h("li", {}, h("button", { type: "button", class: "picture", onclick: () => look(one) }, thumbnail));
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
    const modality = modalityOfFile(file, media());
    try {
      if (!modality) throw new Error(t("error.kind", { name: file.name }));
      await look(mediaPart(modality, await viewerOf(modality).read(file)), file.name);
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
    return [h("h2", {}, t("see.read")), ...spanView(read), h("h2", {}, t("see.write")), ...spanView(written)];
  }

  function spanView(span) {
    const viewer = viewerOf(modalityOf(part));
    const again = span.reconstruction;
    const tiles = tileGrid(span);
    const figures = [
      figure(viewer.show(part, { alt: name || t("see.original") }), t("see.original"), t("see.original.note")),
      figure(tiles.element, t("see.codes"), t("see.codes.note", { count: number(tiles.count) }), "codes"),
    ];
    if (again)
      figures.push(
        figure(viewerOf(modalityOf(again)).show(again, { alt: t("see.again") }), t("see.again"), t("see.again.note")),
      );
    if (again) for (const one of [figures[0], figures[2]]) one.querySelector(".frame").append(tiles.pointer());
    return [
      h("div", { class: "figures" }, ...figures),
      tiles.detail,
      facts(span, tiles),
      ...(again ? [] : [h("p", { class: "small" }, t("see.readonly"))]),
      curious(span),
    ];
  }

  const figure = (content, title, note, kind = "") =>
    h(
      "figure",
      { class: `figure ${kind}` },
      h("div", { class: "frame" }, content),
      h("figcaption", {}, h("strong", {}, title), h("span", { class: "small" }, note)),
    );

  function facts(span, tiles) {
    const fact = (value, words) => h("div", { class: "fact" }, h("strong", {}, value), h("span", {}, words));
    const bytes = Math.ceil(span.bits / 8);
    return h(
      "div",
      { class: "facts" },
      fact(number(tiles.count), t("see.fact.tokens")),
      fact(number(tiles.kinds), t("see.fact.kinds")),
      fact(number(Math.round(span.bits)), t("see.fact.bits", { bytes: number(bytes) })),
      fact(t("see.times", { times: number(Math.round(blobOf(urlOf(part)).size / bytes)) }), t("see.fact.smaller")),
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

  render();
  const modelChanged = () => (part && result ? look(part, name) : render());
  return { look, take, shown: () => part || render(), modelChanged, languageChanged: render };
}
