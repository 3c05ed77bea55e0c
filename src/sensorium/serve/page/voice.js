// Who says a sentence aloud, for who cannot: a model that speaks the language, through its modality's viewer, else the
// browser's own voice. Of the browser's only voices of this machine are used: others would send the sentence to whoever
// offers them. https://developer.mozilla.org/en-US/docs/Web/API/SpeechSynthesis

import { viewerOf } from "./doors.js";
import { modelThat } from "./models.js";

const WAIT_MS = 1500;
const synthesis = window.speechSynthesis;

let looked = null; // a promise: the browser has had its moment to find its voices
let saying = null; // an AbortController while something is said
let utterance = null; // held here: browsers forget one that nobody holds, and its end with it

/** The voice that speaks a language ("fr"): {name, isModel, say(words, signal)}; undefined where there is none. */
export const voiceFor = async (language) => modelVoice(language) ?? (await browserVoice(language));

/**
 * Say words instead of what is being said; settles when they are heard, or stopped. False where there is no voice.
 * `tell` is called with the voice that begins and with the one that failed before, if any; throws when all have failed.
 */
export async function say(words, language, tell) {
  hush();
  const { signal } = (saying = new AbortController());
  let failed, failure;
  for (const find of [modelVoice, browserVoice]) {
    const voice = await find(language);
    if (signal.aborted) return true;
    if (!voice) continue;
    tell(voice, failed);
    try {
      await voice.say(words, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return true;
      [failed, failure] = [voice, error];
    }
  }
  if (failure) throw failure;
  return false;
}

/** Stop what is being said. */
export const hush = () => saying?.abort();

/** Models that do not tell their languages are thought to speak any. */
function modelVoice(language) {
  const canSay = (modality) => viewerOf(modality).say;
  const speaks = ({ languages }) => !languages?.length || languages.includes(language);
  const model = modelThat((one) => speaks(one) && one.writes.some(canSay));
  if (!model) return undefined;
  const viewer = viewerOf(model.writes.find(canSay));
  return { name: model.id, isModel: true, say: (words, signal) => viewer.say(words, { model: model.id, signal }) };
}

async function browserVoice(language) {
  if (!synthesis) return undefined;
  if (!synthesis.getVoices().length) await (looked ??= look());
  const isOurs = (voice) => voice.localService && voice.lang.toLowerCase().startsWith(language);
  const voice = synthesis.getVoices().find(isOurs);
  return voice && { name: voice.name, isModel: false, say: (words, signal) => sayWith(voice, words, signal) };
}

const look = () =>
  new Promise((resolve) => {
    synthesis.addEventListener("voiceschanged", resolve, { once: true });
    setTimeout(resolve, WAIT_MS);
  });

function sayWith(voice, words, signal) {
  return new Promise((resolve) => {
    utterance = new SpeechSynthesisUtterance(words);
    Object.assign(utterance, { voice, lang: voice.lang, onend: resolve, onerror: resolve });
    signal.addEventListener("abort", () => {
      synthesis.cancel();
      resolve();
    });
    synthesis.cancel();
    synthesis.speak(utterance);
  });
}
