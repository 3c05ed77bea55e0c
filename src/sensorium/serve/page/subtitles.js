// Subtitles that a model has written, as a file.

const SRT = /^\d+\s*\n\d\d:\d\d:\d\d,\d{3} --> /;
const VTT = /^WEBVTT\b[^]*?\d\d:\d\d\.\d{3} --> /;

/** The ending and the media type of the subtitles that an answer is; null when it is something else. */
export function formOf(words) {
  if (SRT.test(words)) return { suffix: "srt", type: "application/x-subrip" };
  if (VTT.test(words)) return { suffix: "vtt", type: "text/vtt" };
  return null;
}

/** Let the person save them. */
export function save(words, { suffix, type }) {
  const href = URL.createObjectURL(new Blob([`${words}\n`], { type }));
  const link = Object.assign(document.createElement("a"), { href, download: `subtitles.${suffix}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
