// Subtitles, which a model has written or which tell what is said, as a file.

const SRT = /^\d+\s*\n\d\d:\d\d:\d\d,\d{3} --> /;
const VTT = /^WEBVTT\b[^]*?\d\d:\d\d\.\d{3} --> /;

/** The endings and media types. */
export const FORMS = {
  srt: { suffix: "srt", type: "application/x-subrip" },
  vtt: { suffix: "vtt", type: "text/vtt" },
};

/** The form of the subtitles that an answer is; null when it is something else. */
export function formOf(words) {
  if (SRT.test(words)) return FORMS.srt;
  return VTT.test(words) ? FORMS.vtt : null;
}

/** The cues of SRT: times as they stand there, when they start without milliseconds, and the text. */
export const cuesOf = (srt) =>
  srt
    .trim()
    .split(/\n{2,}/)
    .filter((cue) => SRT.test(cue))
    .map((cue) => {
      const [, times, ...lines] = cue.split("\n");
      return { times, start: times.split(",")[0].replace(/^00:/, ""), text: lines.join("\n") };
    });

/** SRT as WebVTT. https://www.w3.org/TR/webvtt1/ */
export const vttOf = (srt) =>
  ["WEBVTT", ...cuesOf(srt).map(({ times, text }) => `${times.replaceAll(",", ".")}\n${escaped(text)}`)].join("\n\n");

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Let the person save them. */
export function save(words, { suffix, type }) {
  const href = URL.createObjectURL(new Blob([`${words.trimEnd()}\n`], { type }));
  const link = Object.assign(document.createElement("a"), { href, download: `subtitles.${suffix}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
