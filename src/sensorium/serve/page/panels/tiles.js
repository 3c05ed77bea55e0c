// Codes as coloured tiles: the same number has the same colour everywhere. One tab stop, arrow keys within.

import { h } from "../dom.js";
import { number, t } from "../i18n.js";

const GOLDEN_ANGLE = 137.508;

/** What the tiles stand for: a frame each or, where there is one frame only, one of its codes each. */
function cellsOf(codes) {
  if (codes.length > 1) return codes.map((frame) => ({ kind: frame.join(), name: frame.join(" · "), code: frame[0] }));
  return codes[0].map((code, book) => ({ kind: `${book}:${code}`, name: String(code), code: code + book }));
}

/** As the codec lays its frames out; without a grid, a square where the number of tiles allows it. */
function columnsOf(tiles, grid) {
  if (grid?.length === 2 && grid[0] * grid[1] === tiles) return grid[1];
  const side = Math.round(Math.sqrt(tiles));
  return side * side === tiles ? side : Math.min(tiles, 8);
}

/**
 * Codes, (frames, codebooks), as tiles in the rows and columns of `grid`, where it has two sides.
 *
 * Returns the element, a line of detail about the tile under the pointer or focus, and a maker of frames that mark
 * the same place in a picture beside it.
 */
export function tileGrid({ codes, grid }) {
  const cells = cellsOf(codes);
  const columns = columnsOf(cells.length, grid);
  const rows = Math.ceil(cells.length / columns);
  const detail = h("p", { class: "detail", "aria-hidden": "true" }, t("see.hover"));
  const pointers = [];

  const tiles = cells.map(({ name, code }, at) => {
    const place = { row: number(Math.floor(at / columns) + 1), column: number((at % columns) + 1) };
    const label = t("see.tile", { ...place, code: name });
    const properties = { class: "tile", role: "gridcell", tabIndex: at ? -1 : 0, "aria-label": label };
    const tile = h("div", properties, h("span", {}, name));
    tile.style.setProperty("--hue", (code * GOLDEN_ANGLE) % 360);
    tile.style.setProperty("--light", 0.6 + 0.06 * (code % 5));
    tile.addEventListener("pointerenter", () => point(at));
    tile.addEventListener("focus", () => point(at));
    return tile;
  });
  const lines = Array.from({ length: rows }, (_, row) =>
    h("div", { class: "tile-row", role: "row" }, ...tiles.slice(row * columns, (row + 1) * columns)),
  );
  const element = h("div", { class: "tiles", role: "grid", "aria-label": t("see.codes") }, ...lines);
  element.style.setProperty("--columns", columns);
  element.style.setProperty("--rows", rows);
  element.addEventListener("pointerleave", () => point(null));
  element.addEventListener("focusout", () => point(null));
  element.addEventListener("keydown", walk);

  function point(at) {
    const kind = at === null ? null : cells[at].kind;
    const same = cells.filter((cell) => cell.kind === kind).length;
    tiles.forEach((tile, other) => tile.classList.toggle("same", cells[other].kind === kind));
    const words = at === null ? t("see.hover") : tiles[at].getAttribute("aria-label");
    detail.textContent = same > 1 ? `${words} ${t("see.same", { count: number(same) })}` : words;
    for (const pointer of pointers) place(pointer, at);
  }

  function place(pointer, at) {
    pointer.hidden = at === null;
    if (at === null) return;
    pointer.style.left = `${((at % columns) / columns) * 100}%`;
    pointer.style.top = `${(Math.floor(at / columns) / rows) * 100}%`;
    pointer.style.width = `${100 / columns}%`;
    pointer.style.height = `${100 / rows}%`;
  }

  function walk(event) {
    const at = tiles.indexOf(document.activeElement);
    const step = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      Home: -at,
      End: tiles.length - 1 - at,
    }[event.key];
    if (step === undefined || !tiles[at + step]) return;
    event.preventDefault();
    tiles[at].tabIndex = -1;
    tiles[at + step].tabIndex = 0;
    tiles[at + step].focus();
  }

  function pointer() {
    const frame = h("div", { class: "pointer", hidden: true });
    pointers.push(frame);
    return frame;
  }

  return { element, detail, pointer, count: codes.flat().length, kinds: new Set(cells.map(({ kind }) => kind)).size };
}
