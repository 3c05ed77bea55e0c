// Small helpers for building the page. Text is only ever set as text, so nothing a model writes becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Properties starting with "on" are listeners, names with a dash are attributes, others are properties. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * A sign of icons.svg by its name, or the outline of an SVG path (24 x 24) as viewers bring them along; decoration only,
 * the button around it carries the name.
 */
export function icon(name) {
  const isPath = name.includes(" ");
  const inner = document.createElementNS(SVG, isPath ? "path" : "use");
  inner.setAttribute(isPath ? "d" : "href", isPath ? name : `page/icons.svg#${name}`);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  if (isPath) svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(inner);
  return svg;
}

/** A coloured symbol of the board, by the id of its concept. */
export function symbol(id) {
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `page/board/symbols.svg#${id}`);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "board-symbol");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A button that shows only an icon; `label` is its name for everyone else and its tooltip. */
export function iconButton(name, label, onclick, properties = {}) {
  return h(
    "button",
    { type: "button", class: "icon-button", title: label, "aria-label": label, onclick, ...properties },
    icon(name),
  );
}

/** A button with an icon before its words. */
export function quietButton(name, label, onclick, properties = {}) {
  return h(
    "button",
    { type: "button", class: "quiet-button", onclick, ...properties },
    icon(name),
    h("span", {}, label),
  );
}

/** Say something to screen readers, once. */
export function announce(text) {
  const region = document.getElementById("announce");
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/** A line above the panel, over nothing, that goes away by itself; errors stay until closed. */
export function notice(text, { error = false, closeLabel = "" } = {}) {
  const line = h(
    "div",
    { class: error ? "notice error" : "notice", role: error ? "alert" : "status" },
    h("p", {}, text),
  );
  if (error) line.append(iconButton("close", closeLabel, () => line.remove()));
  else setTimeout(() => line.remove(), 4000);
  const region = document.getElementById("notices");
  region.replaceChildren(line);
}

/** A modal dialog that is removed when closed; Escape and a click beside it close it. */
export function openDialog(label, ...children) {
  const dialog = h("dialog", { "aria-label": label }, ...children);
  const before = document.activeElement;
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Let the person choose one of {label, value}; null when the question is closed. */
export function chooseDialog(question, choices, cancel) {
  return new Promise((resolve) => {
    const pick = (value) => () => (resolve(value), dialog.close());
    const buttons = choices.map(({ label, value }) =>
      h("button", { type: "button", class: "chip", onclick: pick(value) }, label),
    );
    const leave = h("button", { type: "button", class: "quiet-button", onclick: () => dialog.close() }, cancel);
    const dialog = openDialog(
      question,
      h("p", { class: "question" }, question),
      h("div", { class: "row wrap" }, ...buttons),
      h("div", { class: "row end" }, leave),
    );
    dialog.classList.add("small-dialog");
    dialog.addEventListener("close", () => resolve(null)); // no effect after a choice
  });
}

/** Ask before something is lost. */
export function confirmDialog(question, yes, no) {
  return new Promise((resolve) => {
    let answer = false;
    const agree = h(
      "button",
      { type: "button", class: "danger-button", onclick: () => ((answer = true), dialog.close()) },
      yes,
    );
    const leave = h("button", { type: "button", class: "quiet-button", onclick: () => dialog.close() }, no);
    const dialog = openDialog(
      question,
      h("p", { class: "question" }, question),
      h("div", { class: "row end" }, leave, agree),
    );
    dialog.classList.add("small-dialog");
    dialog.addEventListener("close", () => resolve(answer));
  });
}
