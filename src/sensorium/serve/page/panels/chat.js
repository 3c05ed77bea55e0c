// The conversation: what was said, the answer that is being written, and the composer below.

import * as api from "../api.js";
import { announce, h, notice } from "../dom.js";
import { loadViewers, namesOf, ownWord, word } from "../doors.js";
import { t } from "../i18n.js";
import { modalityOf, sameness, textPart } from "../media.js";
import * as store from "../store.js";
import { composer } from "./composer.js";
import { GrowingAnswer, messageView, wordsOf } from "./message.js";

const TITLE_CHARACTERS = 60;
const TRIES = 4; // for another medium than those of earlier attempts

export async function chatPanel(root, app) {
  let conversation = await store.open(store.all()[0]?.id);
  let running = null; // {conversation, growing, stop} while an answer is written

  const title = h("h1", { id: "chat-title", class: "unseen" });
  const log = h("div", { class: "log", tabIndex: 0, role: "region" });
  const form = h("form", { class: "composer" });
  root.append(title, log, form);
  const input = composer(form, app, { send: say, stop: () => running?.stop.abort() });

  function render() {
    title.textContent = t("nav.chat");
    log.setAttribute("aria-label", t("chat.log"));
    input.render();
    showAll();
  }

  function showAll() {
    const views = conversation.messages.map((_, at) => viewAt(at));
    if (running?.conversation === conversation) views.push(running.growing.element);
    log.replaceChildren(...(views.length ? views : [welcome()]));
    log.scrollTop = views.length ? log.scrollHeight : 0;
  }

  /** The answer that has grown becomes a message; what stands above stays, with who listens or stops there. */
  function showLast() {
    log.lastChild.replaceWith(viewAt(conversation.messages.length - 1));
    log.scrollTop = log.scrollHeight;
  }

  const viewAt = (at) => messageView(conversation.messages[at], { app, again: againAt(at), request: asked(at) });

  /** The last message may be answered anew. */
  function againAt(at) {
    const { messages } = conversation;
    if (at !== messages.length - 1 || (messages[at].role === "user" && !messages[at].problem)) return undefined;
    return () => {
      if (running) return;
      const given = messages[at].role === "assistant" ? messages.pop().content : null;
      const question = messages.at(-1);
      if (given) question.before = [...(question.before ?? []), given.map(sameness)];
      answer(question.want || onlyKind(given ?? []));
    };
  }

  /** The modality of an answer that is one medium: another attempt is to be one too. */
  const onlyKind = (parts) => (parts.length === 1 && parts[0].type !== "text" ? modalityOf(parts[0]) : "");

  const asked = (at) =>
    conversation.messages
      .slice(0, at)
      .filter(({ role }) => role === "user")
      .map(wordsOf)
      .at(-1) ?? "";

  /** What can be done here: in a modality's own words where it is the only one, else in general ones. */
  function welcome() {
    const { reads = [], writes = [] } = app.model ?? {};
    const media = [...new Set([...reads, ...writes])].filter((name) => name !== "text");
    const only = media.length === 1 && reads.includes(media[0]) && writes.includes(media[0]) ? media[0] : "";
    const mark = h("img", { src: "page/mark.svg", alt: "", width: 56, height: 56 });
    const explain = app.model ? t("chat.explain", { kinds: namesOf(writes) }) : "";
    return h(
      "div",
      { class: "welcome" },
      mark,
      h("h2", {}, ownWord(only, "welcome") ?? invitation(reads.filter((name) => name !== "text"))),
      h("p", {}, ownWord(only, "explain") ?? explain),
      h("div", { class: "chips" }, ...media.flatMap((name) => examples(name, reads, writes))),
    );
  }

  const invitation = (media) => (media.length ? t("chat.welcome", { names: namesOf(media) }) : t("chat.welcome.words"));

  /** Buttons with what a modality's words suggest to say. */
  function examples(modality, reads, writes) {
    const chip = (words, run) => h("button", { type: "button", class: "chip", onclick: run }, words);
    const requests = writes.includes(modality) ? [ownWord(modality, "try.1"), ownWord(modality, "try.2")] : [];
    const chips = requests.filter(Boolean).map((words) => chip(words, () => say([textPart(words)])));
    if (reads.includes(modality)) chips.push(chip(word(modality, "try.open"), input.openFiles));
    return chips;
  }

  /** Say something and let the model answer; `want` is the kind of answer, "" leaves it to the model. */
  async function say(content, { want = "" } = {}) {
    if (running) return;
    const message = { role: "user", content, want };
    conversation.messages.push(message);
    conversation.title ||= wordsOf(message).slice(0, TITLE_CHARACTERS);
    keep();
    await answer(want);
  }

  async function answer(want) {
    const question = conversation.messages.at(-1);
    const answered = conversation;
    delete question.problem;
    const message = { role: "assistant", content: [] };
    const growing = new GrowingAnswer(app, message, wordsOf(question));
    running = { conversation, growing, stop: new AbortController() };
    showAll();
    input.setBusy(true);
    announce(t("chat.thinking"));
    const started = performance.now();
    try {
      await write(growing, message, want, question.before ?? []);
      message.seconds = (performance.now() - started) / 1000;
    } catch (error) {
      question.problem = app.fail(error) || t("chat.stopped");
    }
    if (message.content.length) {
      answered.messages.push(message);
      delete question.problem;
      announce(`${t("chat.model")}: ${wordsOf(message) || t("chat.alt.answer", { words: wordsOf(question) })}`);
    } else {
      question.problem ??= t("error.empty");
    }
    await keep(answered);
    running = null;
    input.setBusy(false);
    if (answered !== conversation) return;
    if (message.content.length) showLast();
    else showAll();
  }

  /** Write an answer; one that begins with the medium of an attempt before is given up for the next, a few times. */
  async function write(growing, message, want, before) {
    const messages = conversation.messages
      .filter(({ problem }) => !problem)
      .map(({ role, content }) => ({ role, content }));
    const body = { model: app.model?.id, messages, modalities: want ? [want] : app.model?.writes };
    if (input.thinks()) body.reasoning_effort = "medium";
    const last = before.length ? before.length + TRIES - 1 : 0;
    for (let attempt = before.length; attempt <= last; attempt += 1) {
      const refused = attempt < last ? before.flat() : [];
      if (await stream({ ...body, attempt }, growing, message, refused)) return;
    }
  }

  /** Whether an answer was written: not where it begins with a refused medium. */
  async function stream(body, growing, message, refused) {
    growing.dropThought(); // of an attempt before
    for await (const event of api.chat(body, running.stop.signal)) {
      if (event.part && !message.content.length && refused.includes(sameness(event.part))) return false;
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
      if (event.thought) growing.addThought(event.thought);
      if (event.text) growing.addText(event.text);
      if (event.part) growing.addPart(event.part);
      if (event.progress) growing.progress(event.progress);
      if (event.finish === "length") message.cut = true;
      if (event.usage) message.energy_wh = event.usage.energy_wh;
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
    return true;
  }

  async function keep(which = conversation) {
    if (!(await store.keep(which))) notice(t("error.full"), { error: true, closeLabel: t("action.close") });
    app.conversationsChanged();
  }

  async function open(id) {
    running?.stop.abort();
    conversation = await store.open(id);
    await loadViewers(conversation.messages.flatMap(({ content }) => content.map(modalityOf)));
    showAll();
    app.conversationsChanged();
    input.focus();
  }

  render();
  return {
    say,
    open,
    take: input.attach,
    current: () => conversation.id,
    modelChanged: render,
    languageChanged: render,
    shown: () => (log.scrollTop = log.scrollHeight),
  };
}
