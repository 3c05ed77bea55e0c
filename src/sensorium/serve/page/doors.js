// The doors of modalities: each brings its viewer, its words and its kinds of file along (docs/page.md), from whichever
// package it comes. Nothing here knows a modality; one without a viewer is offered as a download.

import { fill, language, t, textOf } from "./i18n.js";
import { mediaTypeOf, urlOfBlob } from "./media.js";
import { downloadViewer } from "./viewers/download.js";
import text from "./viewers/text.js";

const cards = new Map(); // modality -> what /v1/modalities says of it
const viewers = new Map([["text", text]]);
const download = downloadViewer({ suffixOf, word });

/** Note what the server tells of modalities. */
export function noteCards(told) {
  for (const card of told) cards.set(card.id, card);
}

/** Load the viewers of modalities. */
export async function loadViewers(modalities) {
  await Promise.all([...new Set(modalities)].map(loadViewer));
}

async function loadViewer(modality) {
  const address = cards.get(modality)?.viewer;
  if (!address || viewers.has(modality)) return;
  try {
    const viewer = (await import(new URL(address, document.baseURI))).default;
    if (viewer.style) adoptStyle(viewer.style);
    viewers.set(modality, viewer);
  } catch (error) {
    console.warn(`the viewer of ${modality} cannot be loaded, so it is offered as a download:`, error);
  }
}

function adoptStyle(rules) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(rules);
  document.adoptedStyleSheets.push(sheet);
}

export const viewerOf = (modality) => viewers.get(modality) ?? download;

/** What the page says of a modality: its own text, else a general one. */
export function word(modality, key, values = {}, wanted = language) {
  const own = ownWord(modality, key, values, wanted);
  if (own !== undefined) return own;
  if (key === "name" || key === "names") return modality === "text" ? t("text.name") : modality;
  return t(`medium.${key}`, { name: word(modality, "name"), names: word(modality, "names"), ...values });
}

/** The modality's own text for a key, or undefined. */
export function ownWord(modality, key, values = {}, wanted = language) {
  const words = cards.get(modality)?.words ?? {};
  const found = textOf(words[wanted] ?? {}, key, values) ?? textOf(words.en ?? {}, key, values);
  return found && fill(found, values);
}

/** The names of modalities in a sentence, e.g. "these, those or others". */
export const namesOf = (modalities) =>
  new Intl.ListFormat(language, { type: "disjunction" }).format(modalities.map((name) => word(name, "names")));

/** What a file chooser should offer for modalities, as in <input accept>. */
export const acceptOf = (modalities) =>
  modalities
    .map((name) => viewerOf(name).accept ?? [...typesOf(name), ...(cards.get(name)?.extensions ?? [])].join(","))
    .filter(Boolean)
    .join(",");

const typesOf = (modality) => cards.get(modality)?.media_types ?? [];

/** The modalities among those given that take this file. */
export const modalitiesOfFile = (file, modalities) => modalities.filter((name) => takes(name, file));

function takes(modality, file) {
  const viewer = viewerOf(modality);
  if (viewer.takes) return viewer.takes(file);
  const suffix = /\.\w+$/.exec(file.name)?.[0].toLowerCase();
  return typesOf(modality).includes(file.type) || (cards.get(modality)?.extensions ?? []).includes(suffix);
}

/** A file as a data URI, as its modality wants it read. */
export async function readFile(modality, file) {
  const viewer = viewerOf(modality);
  if (viewer.read) return viewer.read(file);
  const known = typesOf(modality).includes(file.type) ? file.type : typesOf(modality)[0];
  return urlOfBlob(known ? new Blob([file], { type: known }) : file);
}

/** The suffix of a file for a data URI, without the dot. */
export function suffixOf(modality, url) {
  const kind = (mediaTypeOf(url).split("/")[1] || "bin").replace("octet-stream", "bin");
  const suffixes = (cards.get(modality)?.extensions ?? []).map((suffix) => suffix.slice(1));
  const plain = kind.replace(/^x-|\+\w+$/g, "");
  if (suffixes.includes(plain) || mediaTypeOf(url) !== typesOf(modality)[0]) return plain;
  return suffixes[0] ?? plain;
}
