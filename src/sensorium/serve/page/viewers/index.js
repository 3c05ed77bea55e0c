// One small module per modality, viewers/<modality>.js, loaded when a model reads or writes that modality.
// What a module exports by default is described in docs/page.md. Where there is none, the download viewer serves.

import download from "./download.js";
import text from "./text.js";

const viewers = new Map([["text", text]]);

/** Load the viewers of modalities. */
export async function loadViewers(modalities) {
  await Promise.all([...new Set(modalities)].map(loadViewer));
}

async function loadViewer(modality) {
  if (viewers.has(modality) || !/^[a-z][a-z0-9_]*$/.test(modality)) return;
  try {
    viewers.set(modality, (await import(`./${modality}.js`)).default);
  } catch {
    viewers.set(modality, download);
  }
}

export const viewerOf = (modality) => viewers.get(modality) ?? download;

/** The modality among `modalities` whose viewer takes this file, if any. */
export const modalityOfFile = (file, modalities) => modalities.find((modality) => viewerOf(modality).takes?.(file));
