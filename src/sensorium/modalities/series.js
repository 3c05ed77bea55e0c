// Series: a curve for each channel over one axis of time, with units; closer with the wheel, by dragging or with keys.

import { addressOf, blobOf, h, icon, marker, mediaTypeOf, number, urlOfBlob, word } from "../../kit.js";

const WIDTH = 360;
const LANE = 96;
const LEFT = 56;
const RIGHT = 8;
const BELOW = 30;
const COLOURS = ["#c2410c", "#1d4ed8", "#15803d", "#a21caf", "#b45309", "#0e7490"];
const KINDS = { csv: "text/csv", parquet: "application/vnd.apache.parquet", npy: "application/x-npy" };
const TIMES = ["time", "t", "timestamp", "datetime", "seconds"];
const PLUS = "M12 5 V19 M5 12 H19";
const MINUS = "M5 12 H19";
const ENDS = "M4 6 V18 M20 6 V18 M7 12 H17 M10 9 L7 12 L10 15 M14 9 L17 12 L14 15";

export default {
  accept: ".csv,.parquet,.npy,text/csv",

  /** By the suffix: systems call a table by many names. */
  read: (file) => urlOfBlob(new Blob([file], { type: KINDS[file.name.split(".").at(-1).toLowerCase()] ?? KINDS.csv })),

  show(part, { alt = word("series", "name") } = {}) {
    const view = h("div", { class: "series-view" });
    const url = addressOf(part);
    if (mediaTypeOf(url) !== "text/csv") {
      view.append(h("p", {}, `${alt}: ${word("series", "table")}`));
      return view;
    }
    blobOf(url)
      .text()
      .then((text) => view.append(...chart(parse(text), alt)));
    return view;
  },

  /** Over the curves; the place is a share of the whole series. */
  marker(element) {
    let show = null;
    return (place) => {
      const plot = element.querySelector(".series-plot");
      if (!plot) return;
      show ??= marker(plot);
      show(place);
    };
  },

  style: `
    .series-view { width: var(--medium-width, 30rem); min-width: 15rem; max-width: 100%; padding: 0.4rem;
      border: 1px solid var(--line); border-radius: var(--round); background: var(--surface); color: inherit; }
    .series-chart { position: relative; touch-action: pan-y; }
    .series-chart svg { display: block; width: 100%; height: auto; cursor: crosshair; }
    .series-chart text { font-size: 11px; fill: currentColor; }
    .series-chart .series-grid { stroke: currentColor; opacity: 0.18; }
    .series-chart .series-cursor { stroke: currentColor; opacity: 0.6; }
    .series-plot { position: absolute; top: 0; pointer-events: none; }
    .series-values { height: 2.8em; margin: 0.2rem 0 0; overflow: auto; font-size: 0.85rem;
      font-variant-numeric: tabular-nums; }
    .series-bar { display: flex; gap: 0.2rem; justify-content: flex-end; }
    .series-button { padding: 0.2rem 0.5rem; border: 0; background: none; color: inherit; }
    .series-button:hover { color: var(--accent); }
  `,
};

/** {times, timed, channels: [{name, unit, values}]} of comma-separated text, as the server writes it. */
export function parse(text) {
  const rows = text.trim().split(/\r?\n/).map(cells);
  const bare = rows[0].every((cell) => cell.trim() !== "" && Number.isFinite(Number(cell)));
  const head = bare ? rows[0].map((_, at) => String(at + 1)) : rows.shift();
  const columns = head.map((label, at) => ({ ...named(label), values: rows.map((row) => Number(row[at])) }));
  const timed = !bare && columns.length > 1 && TIMES.includes(columns[0].name.toLowerCase());
  const times = timed ? columns.shift().values : rows.map((_, at) => at);
  return { times, timed, channels: columns };
}

const cells = (line) => [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell]) => plain(cell)).slice(0, -1);
const plain = (cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);

function named(label) {
  const [, name, unit = ""] = /^(.*?)\s*(?:\[([^\]]*)\])?$/.exec(label.trim());
  return { name, unit };
}

function chart(data, alt) {
  const last = data.times.length - 1;
  const shown = { from: 0, to: last };
  const height = LANE * data.channels.length + BELOW;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": alt });
  const values = h("p", { class: "series-values", role: "status" });
  const plot = h("div", { class: "series-plot" });
  Object.assign(plot.style, { left: share(LEFT), right: share(RIGHT), bottom: `${(BELOW / height) * 100}%` });
  const frame = h("div", { class: "series-chart", tabIndex: 0, role: "group", "aria-label": alt }, drawing, plot);
  const state = { data, shown, drawing, values, height, cursor: null };
  const look = (from, to) => {
    const span = Math.max(2, Math.min(last, to - from));
    shown.from = Math.max(0, Math.min(last - span, Math.round(from)));
    shown.to = Math.min(last, Math.round(shown.from + span));
    draw(state);
  };
  const zoom = (factor, at = (shown.from + shown.to) / 2) =>
    look(at - (at - shown.from) * factor, at + (shown.to - at) * factor);
  listen(state, frame, look, zoom);
  draw(state);
  const buttons = [
    button(PLUS, word("series", "closer"), () => zoom(0.5)),
    button(MINUS, word("series", "wider"), () => zoom(2)),
    button(ENDS, word("series", "whole"), () => look(0, last)),
  ];
  return [frame, values, h("div", { class: "series-bar" }, ...buttons)];
}

const button = (outline, label, onclick) =>
  h("button", { type: "button", class: "series-button", title: label, "aria-label": label, onclick }, icon(outline));

const share = (length) => `${(length / WIDTH) * 100}%`;

/** Pointer and keys: values under the pointer, a dragged stretch enlarged, arrows for the next sample. */
function listen(state, frame, look, zoom) {
  const { shown, data } = state;
  const at = (event) => {
    const box = state.drawing.getBoundingClientRect();
    const inside = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    return Math.round(shown.from + Math.max(0, Math.min(1, inside)) * (shown.to - shown.from));
  };
  const point = (row) => {
    state.cursor = row === null ? null : Math.max(0, Math.min(data.times.length - 1, row));
    draw(state);
  };
  let start = null;
  frame.addEventListener("pointerdown", (event) => (start = at(event)));
  frame.addEventListener("pointermove", (event) => point(at(event)));
  frame.addEventListener("pointerleave", () => ((start = null), point(null)));
  frame.addEventListener("pointerup", (event) => {
    const [a, b] = [start, at(event)].sort((one, two) => one - two);
    if (start !== null && b - a > 2) look(a, b);
    start = null;
  });
  frame.addEventListener("dblclick", () => look(0, data.times.length - 1));
  frame.addEventListener(
    "wheel",
    (event) => (event.preventDefault(), zoom(event.deltaY < 0 ? 0.8 : 1.25, at(event))),
    { passive: false },
  );
  frame.addEventListener("keydown", (event) => {
    const keys = {
      ArrowRight: () => point((state.cursor ?? shown.from - 1) + 1),
      ArrowLeft: () => point((state.cursor ?? shown.to + 1) - 1),
      "+": () => zoom(0.5),
      "-": () => zoom(2),
      0: () => look(0, data.times.length - 1),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}

function draw(state) {
  const { data, shown, drawing, values, height, cursor } = state;
  const right = WIDTH - RIGHT;
  const x = (row) => LEFT + ((row - shown.from) / Math.max(1, shown.to - shown.from)) * (right - LEFT);
  const lanes = data.channels.flatMap((channel, lane) => curve(channel, lane, shown, x));
  const below = height - BELOW;
  const axis = ticks(data.times[shown.from], data.times[shown.to]).map((time) => {
    const place = LEFT + ((time - data.times[shown.from]) / span(data, shown)) * (right - LEFT);
    return [
      svg("line", { x1: place, x2: place, y1: 0, y2: below, class: "series-grid" }),
      svg("text", { x: place, y: below + 12, "text-anchor": "middle" }, number(time)),
    ];
  });
  const unit = data.timed ? `${word("series", "time")} [s]` : "";
  const name = svg("text", { x: (LEFT + right) / 2, y: height - 4, "text-anchor": "middle" }, unit);
  const inside = cursor !== null && cursor >= shown.from && cursor <= shown.to;
  const line = inside ? [svg("line", { x1: x(cursor), x2: x(cursor), y1: 0, y2: below, class: "series-cursor" })] : [];
  drawing.replaceChildren(...axis.flat(), ...lanes, name, ...line);
  values.textContent = inside ? valuesAt(data, cursor) : "";
}

const span = (data, shown) => data.times[shown.to] - data.times[shown.from] || 1;

function valuesAt(data, row) {
  const said = data.channels.map(({ name, unit, values }) => `${name}: ${[number(values[row]), unit].join(" ").trim()}`);
  return [data.timed ? `${number(data.times[row])} s` : String(row + 1), ...said].join(" · ");
}

/** One channel: its name, ticks of its own range, and a line through the least and greatest values of each column. */
function curve({ name, unit, values }, lane, shown, x) {
  const part = values.slice(shown.from, shown.to + 1);
  const low = part.reduce((a, b) => Math.min(a, b));
  const high = part.reduce((a, b) => Math.max(a, b));
  const [top, bottom] = [lane * LANE + 18, (lane + 1) * LANE - 8];
  const y = (value) => bottom - ((value - low) / (high - low || 1)) * (bottom - top);
  const colour = COLOURS[lane % COLOURS.length];
  const step = Math.max(1, Math.floor(part.length / WIDTH));
  const points = [];
  for (let at = 0; at < part.length; at += step) {
    const piece = part.slice(at, at + step);
    const ends = piece.length > 1 ? [Math.min(...piece), Math.max(...piece)] : piece;
    points.push(...ends.map((value) => `${x(shown.from + at).toFixed(1)},${y(value).toFixed(1)}`));
  }
  const marks = (high > low ? [low, high] : [low]).map((value) =>
    svg("text", { x: LEFT - 4, y: y(value) + 4, "text-anchor": "end" }, number(Number(value.toPrecision(4)))),
  );
  const title = svg("text", { x: LEFT + 2, y: lane * LANE + 11 }, unit ? `${name} [${unit}]` : name);
  title.style.fill = colour;
  return [...marks, title, svg("polyline", { points: points.join(" "), fill: "none", stroke: colour })];
}

/** About five round numbers from one to another. */
export function ticks(from, to) {
  const rough = (to - from) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor((to - first * step) / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

function svg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
