// Sounds: the browser's own player under a spectrogram with an axis of seconds; recorded from the microphone as wav.
// The page serves it as page/viewers/audio/audio.js (docs/page.md).

import {
  addressOf, blobOf, h, marker, number, openDialog, pieces, quietButton, request, suffixOf, t, urlOfBlob, word,
} from "../../kit.js";

const SENT_AS_THEY_ARE = ["wav", "flac", "ogg", "opus", "mp3"];
const SENT_HZ = 24_000;
const SPOKEN_HZ = 24_000; // of the server's "pcm"
const LEAD_S = 0.05; // until a piece that has just come is played
const MOST_RECORDED_S = 120;
const SHOWN_HZ = 16_000;
const WIDTH = 320;
const HEIGHT = 96;
const WINDOW = 1024;
const RANGE_DB = 70;
const SHADES = [[8, 6, 24], [72, 22, 104], [164, 42, 100], [232, 92, 52], [252, 176, 60], [254, 248, 196]];

export default {
  accept: "audio/*",
  takes: (file) => file.type.startsWith("audio/"),
  capture: record,
  captureIcon: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3Z M6 11a6 6 0 0 0 12 0 M12 17v4 M9 21h6",

  /** A data URI of a file; what only browsers know (webm, m4a) becomes wav first. */
  async read(file) {
    if (SENT_AS_THEY_ARE.includes(file.name.split(".").at(-1).toLowerCase())) return urlOfBlob(file);
    try {
      return await urlOfBlob(wav(await samplesOf(file, SENT_HZ), SENT_HZ));
    } catch {
      throw new Error(word("audio", "damaged", { name: file.name }));
    }
  },

  /** Words said aloud by a model, while it still writes; settles when they are heard, or when `signal` stops them. */
  async say(words, { model, signal }) {
    const context = new AudioContext({ sampleRate: SPOKEN_HZ });
    try {
      const body = { model, input: words, response_format: "pcm" };
      const spoken = await request("v1/audio/speech", { body, signal });
      await played(spoken.body, context, signal);
    } finally {
      context.close();
    }
  },

  /** What a model hears said, as SRT. */
  async transcribe(part, { model, signal }) {
    const body = new FormData();
    const address = addressOf(part);
    body.append("file", blobOf(address), `sound.${suffixOf("audio", address)}`);
    body.append("model", model);
    body.append("response_format", "srt");
    return (await request("v1/audio/transcriptions", { body, signal })).text();
  },

  show(part, { alt = word("audio", "name") } = {}) {
    const blob = blobOf(addressOf(part));
    const player = h("audio", { controls: true, src: URL.createObjectURL(blob), "aria-label": alt });
    const canvas = h("canvas", { width: WIDTH, height: HEIGHT, role: "img", "aria-label": alt });
    const now = h("i", { class: "audio-now", hidden: true });
    const plot = h("div", { class: "audio-plot" }, canvas, now);
    const axis = h("div", { class: "audio-axis", "aria-hidden": "true" });
    follow(player, plot, now);
    samplesOf(blob, SHOWN_HZ).then(
      (samples) => {
        draw(canvas, samples);
        axis.append(...ticks(samples.length / SHOWN_HZ));
      },
      () => plot.remove(), // of a kind that this browser does not know: its player says so
    );
    return h("div", { class: "audio-view" }, plot, axis, player);
  },

  /** Over the spectrogram; the place is a share of the whole sound. */
  marker: (element) => marker(element.querySelector(".audio-plot") ?? element),

  style: `
    .audio-view { position: relative; width: var(--medium-width, 22rem); min-width: 13rem; max-width: 100%;
      padding: 0.4rem; border: 1px solid var(--line); border-radius: var(--round); background: var(--surface);
      color: inherit; }
    .audio-view audio { display: block; width: 100%; min-height: 2.75rem; }
    .audio-plot { position: relative; cursor: pointer; }
    .audio-plot canvas { display: block; width: 100%; height: 6rem; border-radius: var(--small-round);
      background: rgb(8 6 24); }
    .audio-now { position: absolute; top: 0; bottom: 0; width: 2px; background: #fff; pointer-events: none; }
    .audio-axis { position: relative; height: 1.3em; font-size: 0.8rem; font-variant-numeric: tabular-nums; }
    .audio-axis span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
    .audio-axis span:first-child { transform: none; }
    .audio-record[open] { display: grid; gap: 0.9rem; width: min(24rem, 92vw); }
    .audio-record meter { width: 100%; height: 1.2rem; }
  `,
};

/** Play 16-bit samples as they come. */
async function played(body, context, signal) {
  let [kept, end, heard] = [[], 0, null]; // half a sample, when the next piece begins, a promise of the last one's end
  for await (const piece of pieces(body)) {
    const bytes = Uint8Array.from([...kept, ...piece]);
    const samples = Float32Array.from({ length: bytes.length >> 1 }, (_, at) => sample(bytes, 2 * at));
    kept = bytes.slice(2 * samples.length);
    if (!samples.length) continue;
    const sound = context.createBuffer(1, samples.length, SPOKEN_HZ);
    sound.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(context, { buffer: sound });
    heard = new Promise((resolve) => (source.onended = resolve));
    source.connect(context.destination);
    const start = Math.max(end, context.currentTime + LEAD_S);
    source.start(start);
    end = start + sound.duration;
  }
  if (!heard) throw new Error(word("audio", "say.nothing"));
  await Promise.race([heard, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
}

/** A 16-bit number, the little end first, in -1..1. */
const sample = (bytes, at) => (((bytes[at] | (bytes[at + 1] << 8)) << 16) >> 16) / 2 ** 15;

/** A line where the player is; a click into the picture goes there. */
function follow(player, plot, now) {
  const move = () => {
    const share = player.currentTime / (player.duration || 1);
    now.hidden = share === 0;
    now.style.left = `${share * 100}%`;
    if (!player.paused && plot.isConnected) requestAnimationFrame(move);
  };
  for (const event of ["play", "seeked", "pause", "ended"]) player.addEventListener(event, move);
  plot.addEventListener("click", (event) => {
    const box = plot.getBoundingClientRect();
    if (Number.isFinite(player.duration)) player.currentTime = ((event.clientX - box.left) / box.width) * player.duration;
  });
}

/** Seconds under the picture: about four round ones. */
function ticks(seconds) {
  const rough = seconds / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const count = Math.floor((seconds * 0.95) / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, at) => {
    const tick = h("span", {}, `${number(Number((at * step).toPrecision(6)))} s`);
    tick.style.left = `${((at * step) / seconds) * 100}%`;
    return tick;
  });
}

/** The samples of a file at a rate, as one channel. */
async function samplesOf(blob, rate) {
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await blob.arrayBuffer());
  const mono = sound.getChannelData(0).slice();
  for (let channel = 1; channel < sound.numberOfChannels; channel++) {
    sound.getChannelData(channel).forEach((value, at) => (mono[at] += value));
  }
  return mono.map((value) => value / sound.numberOfChannels);
}

/** A spectrogram: time to the right, tones upwards in mel, loud is bright. */
function draw(canvas, samples) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(WIDTH, HEIGHT);
  const top = Math.log1p(SHOWN_HZ / 2 / 700);
  const bins = Array.from({ length: HEIGHT }, (_, row) => {
    const pitch = 700 * Math.expm1((top * (HEIGHT - row - 0.5)) / HEIGHT);
    return Math.min(WINDOW / 2 - 1, (pitch / SHOWN_HZ) * WINDOW);
  });
  const columns = Array.from({ length: WIDTH }, (_, x) => levels(samples, ((x + 0.5) / WIDTH) * samples.length));
  const loudest = Math.max(-40, ...columns.map((column) => column.reduce((a, b) => Math.max(a, b))));
  columns.forEach((column, x) =>
    bins.forEach((bin, row) => {
      const [low, share] = [Math.floor(bin), bin % 1];
      const level = column[low] * (1 - share) + column[low + 1] * share;
      pixels.data.set([...shade((level - loudest) / RANGE_DB + 1), 255], 4 * (row * WIDTH + x));
    }),
  );
  context.putImageData(pixels, 0, 0);
}

function shade(light) {
  const place = Math.max(0, Math.min(0.999, light)) * (SHADES.length - 1);
  const at = Math.floor(place);
  return SHADES[at].map((value, channel) => value + (SHADES[at + 1][channel] - value) * (place - at));
}

/** Levels in dB of the frequencies around a sample, of a Hann window. */
function levels(samples, middle) {
  const real = new Float64Array(WINDOW);
  const start = Math.round(middle) - WINDOW / 2;
  for (let at = 0; at < WINDOW; at++) {
    real[at] = (samples[start + at] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * at) / WINDOW));
  }
  const imaginary = new Float64Array(WINDOW);
  transform(real, imaginary);
  return Float64Array.from({ length: WINDOW / 2 + 1 }, (_, bin) =>
    10 * Math.log10((real[bin] ** 2 + imaginary[bin] ** 2) / WINDOW ** 2 + 1e-12),
  );
}

/** The fast Fourier transform (Cooley and Tukey 1965) in place. */
function transform(real, imaginary) {
  const size = real.length;
  for (let at = 1, other = 0; at < size; at++) {
    let bit = size >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (at < other) [real[at], real[other]] = [real[other], real[at]];
  }
  for (let half = 1; half < size; half *= 2) {
    for (let at = 0; at < half; at++) {
      const [cos, sin] = [Math.cos((Math.PI * at) / half), -Math.sin((Math.PI * at) / half)];
      for (let a = at, b = at + half; b < size; a += 2 * half, b += 2 * half) {
        const [x, y] = [real[b] * cos - imaginary[b] * sin, real[b] * sin + imaginary[b] * cos];
        [real[b], imaginary[b]] = [real[a] - x, imaginary[a] - y];
        real[a] += x;
        imaginary[a] += y;
      }
    }
  }
}

/** A wav file from the microphone, or null when the person closed it. */
async function record() {
  let live;
  try {
    live = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  } catch {
    return fromFileChooser(); // no microphone, not allowed, or no secure connection
  }
  const samples = await fromStream(live);
  return samples && new File([wav(samples, SENT_HZ)], "recording.wav", { type: "audio/wav" });
}

/** Through the telephone's own recorder, where it has one. */
function fromFileChooser() {
  return new Promise((resolve) => {
    const input = h("input", { type: "file", accept: "audio/*", capture: "user" });
    const choose = { type: "button", class: "main-button", onclick: () => input.click() };
    const bar = h("div", { class: "row end" }, h("button", choose, word("audio", "open")));
    const dialog = openDialog(word("audio", "capture"), h("p", {}, word("audio", "record.none")), bar);
    dialog.classList.add("small-dialog");
    input.addEventListener("change", () => (resolve(input.files[0] ?? null), dialog.close()));
    dialog.addEventListener("close", () => resolve(null)); // no effect after a choice
  });
}

/** The samples at SENT_HZ that come until the person is done, or null. */
function fromStream(live) {
  return new Promise((resolve) => {
    const context = new AudioContext();
    const blocks = [];
    const time = h("p", { role: "timer" });
    const level = h("meter", { min: 0, max: 1, "aria-hidden": "true" });
    const done = h("button", { type: "button", class: "main-button" }, word("audio", "record.done"));
    const cancel = quietButton("close", t("action.cancel"), () => dialog.close());
    const dialog = openDialog(word("audio", "capture"), time, level, h("div", { class: "row end" }, cancel, done));
    dialog.classList.add("audio-record");
    const finish = () => (resolve(resampled(blocks, context.sampleRate)), dialog.close());
    done.addEventListener("click", finish);
    dialog.addEventListener("close", () => {
      for (const track of live.getTracks()) track.stop();
      context.close();
      resolve(null); // no effect when done
    });
    // A worklet would need a file of its own, and the page serves one file of a modality.
    const taker = context.createScriptProcessor(4096, 1, 1);
    taker.onaudioprocess = ({ inputBuffer }) => {
      const block = inputBuffer.getChannelData(0).slice();
      blocks.push(block);
      const seconds = (blocks.length * block.length) / context.sampleRate;
      time.textContent = word("audio", "recording", { seconds: number(Math.floor(seconds)) });
      level.value = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      if (seconds >= MOST_RECORDED_S) finish();
    };
    context.createMediaStreamSource(live).connect(taker);
    taker.connect(context.destination); // it gives silence, but does not run otherwise
    time.textContent = word("audio", "recording", { seconds: number(0) });
    done.focus();
  });
}

async function resampled(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  if (!count) return null;
  const context = new OfflineAudioContext(1, Math.ceil((count / rate) * SENT_HZ), SENT_HZ);
  const sound = context.createBuffer(1, count, rate);
  blocks.reduce((at, block) => (sound.copyToChannel(block, 0, at), at + block.length), 0);
  const source = new AudioBufferSourceNode(context, { buffer: sound });
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

/** One channel as a wav file of 16 bits. */
function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const letters = (at, text) => [...text].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  letters(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  letters(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  letters(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, at) => view.setInt16(44 + 2 * at, Math.max(-1, Math.min(1, value)) * 32767, true));
  return new Blob([view], { type: "audio/wav" });
}
