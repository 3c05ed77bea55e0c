// Actions: a list of events over time that can be played again; the pointer moves on a page of the screen's shape.

import { addressOf, blobOf, h, icon, number, word } from "../../kit.js";

const PLAY = "M7 5 L19 12 L7 19 Z";
const PAUSE = "M8 5 V19 M16 5 V19";
const DOT_SHARE = 1 / 40;

export default {
  accept: ".actions",

  show(part, { alt = word("actions", "name") } = {}) {
    const view = h("div", { class: "actions-view", role: "group", "aria-label": alt });
    blobOf(addressOf(part))
      .text()
      .then((text) => view.append(...player(parse(text), alt)));
    return view;
  },

  style: `
    .actions-view { width: var(--medium-width, 22rem); min-width: 14rem; max-width: 100%; padding: 0.4rem; border: 1px solid var(--line);
      border-radius: var(--round); background: var(--surface); }
    .actions-stage { display: block; width: 100%; height: auto; background: var(--sunken); }
    .actions-stage polyline { fill: none; stroke: currentColor; opacity: 0.25; }
    .actions-stage circle { fill: var(--accent); }
    .actions-bar { display: flex; gap: 0.4rem; align-items: center; }
    .actions-bar input { flex: 1; min-width: 4rem; }
    .actions-bar button { padding: 0.2rem 0.5rem; border: 0; background: none; color: inherit; }
    .actions-list { display: grid; max-height: 9rem; margin-top: 0.3rem; overflow: auto; font-size: 0.85rem;
      font-variant-numeric: tabular-nums; }
    .actions-list button { padding: 0.1rem; border: 0; background: none; color: inherit; text-align: left; }
    .actions-list .now { font-weight: 700; color: var(--accent); }
  `,
};

/** {frame, events: [{time, kind, x, y, value}]}; an event without a place happens where the last one did. */
export function parse(text) {
  const said = JSON.parse(text);
  let [lastX, lastY] = [0, 0];
  const events = (said.events ?? said).map(({ time, kind = "", x = lastX, y = lastY, value = 0 }) => {
    [lastX, lastY] = [x, y];
    return { time, kind, x, y, value };
  });
  const far = (axis) => Math.max(1, ...events.map((event) => event[axis]));
  return { frame: said.frame ?? [far("x"), far("y")], events };
}

function player({ frame, events }, alt) {
  const [width, height] = frame;
  const radius = Math.max(width, height) * DOT_SHARE;
  const dot = svg("circle", { r: radius });
  const points = events.map(({ x, y }) => `${x},${y}`).join(" ");
  const stage = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "actions-stage", role: "img", "aria-label": alt });
  stage.append(svg("polyline", { points, "stroke-width": radius / 4 }), dot);
  const entries = events.map((event, at) => h("button", { type: "button", onclick: () => (pause(), go(events[at].time)) }, told(event)));
  const list = h("div", { class: "actions-list" }, ...entries);
  const end = events.at(-1).time || 1;
  const slider = { type: "range", min: 0, max: end, step: "any", value: end, "aria-label": word("actions", "moment") };
  const moment = h("input", { ...slider, oninput: () => (pause(), go(Number(moment.value))) });
  const play = h("button", { type: "button", onclick: () => (timer ? pause() : run()) }, icon(PLAY));
  let timer = 0;

  function go(time) {
    moment.value = time;
    const now = Math.max(0, events.findLastIndex((event) => event.time <= time + 1e-9));
    dot.setAttribute("cx", events[now].x);
    dot.setAttribute("cy", events[now].y);
    entries.forEach((entry, at) => entry.classList.toggle("now", at === now));
    list.scrollTop = entries[now].offsetTop - list.offsetTop - list.clientHeight / 2;
  }

  function run() {
    const began = performance.now() - (Number(moment.value) < end ? Number(moment.value) * 1000 : 0);
    const step = (moment_ms) => {
      if (!play.isConnected) return;
      const time = Math.min(end, Math.max(0, moment_ms - began) / 1000);
      go(time);
      if (time < end) timer = requestAnimationFrame(step);
      else pause();
    };
    name(PAUSE, "pause");
    timer = requestAnimationFrame(step);
  }

  function pause() {
    cancelAnimationFrame(timer);
    timer = 0;
    name(PLAY, "play");
  }

  function name(outline, key) {
    play.title = word("actions", key);
    play.setAttribute("aria-label", word("actions", key));
    play.querySelector("path").setAttribute("d", outline);
  }

  name(PLAY, "play");
  go(end);
  requestAnimationFrame(() => go(Number(moment.value))); // the list can be scrolled once it is shown
  return [stage, h("div", { class: "actions-bar" }, play, moment), list];
}

function told({ time, kind, x, y, value }) {
  const strength = value ? ` · ${number(Number(value.toPrecision(3)))}` : "";
  return `${number(Number(time.toFixed(2)))} s · ${kind} (${Math.round(x)}, ${Math.round(y)})${strength}`;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
