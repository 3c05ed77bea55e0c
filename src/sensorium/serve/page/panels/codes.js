// The codes of a medium as something to look at: tiles for grids, a strip for media in time.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { strip } from "./strip.js";
import { tileGrid } from "./tiles.js";

const MOST_TILES = 256;

/**
 * What a span of /v1/tokenize shows: `head` {name: code} of what is written once, `frames` a list of a code per
 * codebook, `rows` and `columns` of a grid (null for media that go on in time), `steps` how many such grids follow one
 * another. Codes may come flat, in the order written, or as a list of frames.
 */
export function layOut({ codes, header, grid, codebook_sizes: sizes, frame_rate_hz: rate }) {
  const names = Object.keys(header ?? {});
  const head = Object.fromEntries(names.map((name, at) => [name, codes[at]]));
  const frames = Array.isArray(codes[0]) ? codes : inFrames(codes.slice(names.length), sizes.length);
  return { head, frames, rate_hz: rate, ...shapeOf(frames, grid) };
}

const inFrames = (flat, books) =>
  Array.from({ length: Math.floor(flat.length / books) }, (_, at) => flat.slice(at * books, (at + 1) * books));

/** One frame alone stands as a row of its codes; a short medium of fixed length as tiles, too. */
function shapeOf(frames, grid) {
  const [rows, columns] = (grid ?? []).slice(-2);
  if (rows && columns && grid.length > 1) return { rows, columns, steps: frames.length / (rows * columns) };
  if (frames.length === 1) return { ...squarest(frames[0].length), steps: 1, single: true };
  const isFixed = grid?.length === 1 && grid[0] !== null;
  if (isFixed && frames.length <= MOST_TILES) return { ...squarest(frames.length), steps: 1 };
  return { rows: null, columns: frames.length, steps: 1 };
}

function squarest(count) {
  const side = Math.round(Math.sqrt(count));
  const columns = side * side === count ? side : Math.min(count, 8);
  return { rows: Math.ceil(count / columns), columns };
}

/**
 * The view of a span: {element, detail, count, kinds, books}. `mark` is called with the place, {x, y} in fractions, that
 * the pointer or the keyboard is at, or null.
 */
export function codesView(span, mark) {
  const layout = layOut(span);
  const detail = h("p", { class: "detail", "aria-hidden": "true" });
  const view = layout.rows === null ? strip(layout, detail, mark) : tileGrid(layout, detail, mark);
  const kinds = layout.single ? layout.frames[0].map((code, book) => `${book}:${code}`) : layout.frames.map(String);
  return {
    element: h("div", { class: "code-view" }, headView(layout.head), view),
    detail,
    count: Object.keys(layout.head).length + layout.frames.flat().length,
    kinds: new Set(kinds).size,
    books: layout.single ? 1 : layout.frames[0].length,
  };
}

function headView(head) {
  const names = Object.entries(head).map(([name, code]) => `${name} ${code}`);
  return names.length ? h("p", { class: "small" }, `${t("see.head")} `, h("code", {}, names.join(" · "))) : null;
}
