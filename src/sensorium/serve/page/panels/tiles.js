// Codes as coloured tiles, with a band for each codebook. One tab stop, arrow keys within.

import { h } from "../dom.js";
import { number, t } from "../i18n.js";
import { colourOf } from "./colours.js";

/** What the tiles of a step stand for: a frame each or, where there is one frame only, one of its codes each. */
function cellsOf({ frames, single, rows, columns }, step) {
  if (single) {
    return frames[0].map((code, book) => ({
      kind: `${book}:${code}`,
      name: String(code),
      colours: [colourOf(code, book)],
    }));
  }
  return frames.slice(step * rows * columns, (step + 1) * rows * columns).map((frame) => ({
    kind: frame.join(),
    name: frame.join(" · "),
    colours: frame.map((code, book) => colourOf(code, book)),
  }));
}

/** The tiles of a layout (see codes.js); where grids follow one another, with a slider through them. */
export function tileGrid(layout, detail, mark) {
  const box = h("div", { class: "code-view" }, grid(layout, 0, detail, mark));
  if (layout.steps <= 1) return box;
  const label = () => t("see.step", { number: number(slider.valueAsNumber), count: number(layout.steps) });
  const slider = h("input", { type: "range", min: 1, max: layout.steps, value: 1 });
  const words = h("span", { class: "small" }, label());
  slider.setAttribute("aria-label", label());
  slider.addEventListener("input", () => {
    words.textContent = label();
    slider.setAttribute("aria-label", label());
    box.firstElementChild.replaceWith(grid(layout, slider.valueAsNumber - 1, detail, mark));
  });
  box.append(h("div", { class: "row" }, slider, words));
  return box;
}

function grid(layout, step, detail, mark) {
  const cells = cellsOf(layout, step);
  const { rows, columns } = layout;
  const tiles = cells.map((cell, at) => tileOf(cell, at, columns));
  const lines = Array.from({ length: rows }, (_, row) =>
    h("div", { class: "tile-row", role: "row" }, ...tiles.slice(row * columns, (row + 1) * columns)),
  );
  const element = h("div", { class: "tiles", role: "grid", "aria-label": t("see.codes") }, ...lines);
  element.style.setProperty("--columns", columns);
  element.style.setProperty("--rows", rows);
  tiles.forEach((tile, at) => {
    tile.addEventListener("pointerenter", () => point(at));
    tile.addEventListener("focus", () => point(at));
  });
  element.addEventListener("pointerleave", () => point(null));
  element.addEventListener("focusout", () => point(null));
  element.addEventListener("keydown", (event) => walk(event, tiles, columns));
  point(null);
  return element;

  function point(at) {
    const kind = at === null ? null : cells[at].kind;
    const same = cells.filter((cell) => cell.kind === kind).length;
    tiles.forEach((tile, other) => tile.classList.toggle("same", cells[other].kind === kind));
    const words = at === null ? t("see.hover") : tiles[at].getAttribute("aria-label");
    detail.textContent = same > 1 ? `${words} ${t("see.same", { count: number(same) })}` : words;
    mark(at === null ? null : placeOf(at));
  }

  function placeOf(at) {
    const [row, column] = [Math.floor(at / columns), at % columns];
    return { x: [column / columns, (column + 1) / columns], y: [row / rows, (row + 1) / rows] };
  }
}

function tileOf({ name, colours }, at, columns) {
  const place = { row: number(Math.floor(at / columns) + 1), column: number((at % columns) + 1) };
  const label = t("see.tile", { ...place, code: name });
  const properties = { class: "tile", role: "gridcell", tabIndex: at ? -1 : 0, "aria-label": label };
  const tile = h("div", properties, h("span", {}, name));
  tile.style.background = colours.length > 1 ? bands(colours) : colours[0];
  return tile;
}

function bands(colours) {
  const share = 100 / colours.length;
  const stops = colours.map((colour, band) => `${colour} ${band * share}% ${(band + 1) * share}%`);
  return `linear-gradient(${stops.join(", ")})`;
}

function walk(event, tiles, columns) {
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
