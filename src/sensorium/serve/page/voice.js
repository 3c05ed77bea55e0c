// The browser's own voice, for who cannot read a sentence aloud. No model speaks here. Only voices of this machine are
// used: others would send the sentence to whoever offers them.
// https://developer.mozilla.org/en-US/docs/Web/API/SpeechSynthesis

const WAIT_MS = 1500;

/** A voice for a language ("fr"), or undefined. Browsers may need a moment to find theirs. */
export async function voiceFor(language) {
  const synthesis = window.speechSynthesis;
  if (!synthesis) return undefined;
  const fitting = () =>
    synthesis.getVoices().find((voice) => voice.localService && voice.lang.toLowerCase().startsWith(language));
  if (!synthesis.getVoices().length) {
    await new Promise((resolve) => {
      synthesis.addEventListener("voiceschanged", resolve, { once: true });
      setTimeout(resolve, WAIT_MS);
    });
  }
  return fitting();
}

/** Say a text, instead of what is being said. */
export function sayWith(voice, text) {
  const words = new SpeechSynthesisUtterance(text);
  words.voice = voice;
  words.lang = voice.lang;
  window.speechSynthesis.cancel();
  window.speechSynthesis.speak(words);
}
