// The words of the interface: one file per language, chosen from the browser's languages, switchable.

import { keepSetting, setting } from "./settings.js";

export const LANGUAGES = { en: "English", fr: "Français" };
const KEPT = "sensorium.language";

let words = {};
export let language = "en";

function wished() {
  const kept = setting(KEPT, null, (code) => Object.hasOwn(LANGUAGES, code));
  const candidates = [kept, ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  return candidates.find((code) => code in LANGUAGES) ?? "en";
}

/** Load the words of a language (by default the browser's) and put them into the document. */
export async function loadLanguage(code = wished()) {
  const response = await fetch(`page/i18n/${code}.json`);
  words = await response.json();
  language = code;
  document.documentElement.lang = code;
  translate(document);
}

export async function chooseLanguage(code) {
  keepSetting(KEPT, code);
  await loadLanguage(code);
}

/** The text of a key, with {names} filled in; `count` picks the singular where the language has one for it. */
export function t(key, values = {}) {
  const text = textOf(words, key, values);
  if (text === undefined) throw new Error(`no words for ${key} in ${language}.json`);
  return fill(text, values);
}

/** The text of a key in a language's words, or undefined. */
export function textOf(from, key, values = {}) {
  const single = "count" in values && new Intl.PluralRules(language).select(values.count) === "one";
  return (single && from[`${key}.one`]) || from[key];
}

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** A number as the language writes it. */
export function number(value, options = {}) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** Fill in the elements that name a text: data-t for the content, data-t-label for the accessible name. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}
