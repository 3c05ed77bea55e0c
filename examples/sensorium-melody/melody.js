// Tunes: the notes as lines over time, and a button that plays them. The page serves this file as
// page/viewers/melody/melody.js (docs/page.md).

import { addressOf, blobOf, h, marker, quietButton, word } from "../../kit.js";

const NAMES = ["c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b"];
const PLAY = "M7 5 L19 12 L7 19 Z";
const LOUD = 0.15;
const FADE_S = 0.02;

export default {
  accept: ".rtttl",

  show(part, { alt = word("melody", "name") } = {}) {
    const view = h("div", { class: "melody-view", role: "group", "aria-label": alt });
    blobOf(addressOf(part))
      .text()
      .then((text) => {
        const notes = parse(text);
        view.append(staff(notes, alt), quietButton(PLAY, word("melody", "play"), () => play(notes, view)));
      });
    return view;
  },

  marker: (element) => marker(element),

  style: `
    .melody-view { position: relative; width: var(--medium-width, 18rem); max-width: 100%; padding: 0.4rem;
      border: 1px solid var(--line); border-radius: var(--round); background: var(--surface); }
    .melody-view svg.melody-staff { display: block; width: 100%; height: 5rem; stroke: currentColor; }
    .melody-view line.now { stroke: var(--accent); }
  `,
};

/** [{pitch, start, seconds}] of a ringtone; the pitch of a pause is 0. */
function parse(text) {
  const [, defaults, tune] = text.toLowerCase().split(":");
  const given = { d: 4, o: 6, b: 63, ...Object.fromEntries(defaults.split(",").map((one) => one.trim().split("="))) };
  let start = 0;
  return tune.split(",").map((note) => {
    const [, part, name, early, dot, late, last] = /^(\d*)([a-gp]#?)(\d?)(\.?)(\d?)(\.?)$/.exec(note.replace(/\s/g, ""));
    const seconds = (240 / given.b / (part || given.d)) * (dot || last ? 1.5 : 1);
    const pitch = name === "p" ? 0 : 12 * (Number(early || late || given.o) + 1) + NAMES.indexOf(name);
    start += seconds;
    return { pitch, seconds, start: start - seconds };
  });
}

const lasting = (notes) => notes.at(-1).start + notes.at(-1).seconds;

function staff(notes, alt) {
  const heard = notes.filter(({ pitch }) => pitch);
  const low = Math.min(...heard.map(({ pitch }) => pitch)) - 1;
  const high = Math.max(...heard.map(({ pitch }) => pitch)) + 1;
  const drawing = svg("svg", { class: "melody-staff", viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": alt });
  for (const { pitch, start, seconds } of heard) {
    const y = 40 * (1 - (pitch - low) / (high - low));
    const [x1, x2] = [start, start + seconds * 0.95].map((time) => (100 * time) / lasting(notes));
    drawing.append(svg("line", { x1, x2, y1: y, y2: y, "stroke-width": 2, "data-start": start, "data-end": start + seconds }));
  }
  return drawing;
}

function play(notes, view) {
  const context = new AudioContext();
  const volume = new GainNode(context, { gain: 0 });
  const voice = new OscillatorNode(context, { type: "triangle" });
  voice.connect(volume).connect(context.destination);
  for (const { pitch, start, seconds } of notes.filter(({ pitch }) => pitch)) {
    voice.frequency.setValueAtTime(440 * 2 ** ((pitch - 69) / 12), start);
    volume.gain.setTargetAtTime(LOUD, start, FADE_S / 4);
    volume.gain.setTargetAtTime(0, start + seconds * 0.95 - FADE_S, FADE_S / 4);
  }
  voice.start();
  voice.stop(lasting(notes));
  const follow = () => {
    for (const line of view.querySelectorAll("svg line")) {
      const { start, end } = line.dataset;
      line.classList.toggle("now", start <= context.currentTime && context.currentTime < end);
    }
    if (context.state !== "closed" && view.isConnected) requestAnimationFrame(follow);
  };
  voice.onended = () => context.close().then(follow);
  follow();
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
