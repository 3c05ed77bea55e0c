// Boxes: drawn with their labels on the picture that stands before them in the conversation, else on an empty page.

import { addressOf, blobOf, h, word } from "../../kit.js";

const COLOURS = ["#c2410c", "#1d4ed8", "#15803d", "#a21caf", "#b45309", "#0e7490"];
const SAME_SHAPE = 0.03;

export default {
  accept: ".json,.boxes,application/json",

  show(part, { alt = word("boxes", "name") } = {}) {
    const view = h("div", { class: "boxes-view" });
    blobOf(addressOf(part))
      .text()
      .then((text) => {
        const found = parse(text);
        view.append(page(view, found, alt), list(found));
      });
    return view;
  },

  style: `
    .boxes-view { width: var(--medium-width, 20rem); min-width: 9rem; max-width: 100%; padding: 0.4rem; border: 1px solid var(--line);
      border-radius: var(--round); background: var(--surface); }
    .boxes-view svg { display: block; width: 100%; height: auto; background: #fff; }
    .boxes-view p { margin: 0.2rem 0 0; font-size: 0.85rem; }
  `,
};

/** {frame, boxes: [{label, corners}]} of a file of boxes or of COCO's form. */
export function parse(text) {
  const said = JSON.parse(text);
  if (said.annotations) return fromCoco(said);
  const boxes = (said.boxes ?? said).map(({ label = "", box, point }) => ({ label, corners: box ?? [...point, ...point] }));
  const far = (axis) => Math.max(1, ...boxes.map(({ corners }) => corners[axis]));
  return { frame: said.frame ?? [far(2), far(3)], boxes };
}

function fromCoco({ images, annotations, categories }) {
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  const boxes = annotations.map(({ category_id, bbox: [x, y, width, height] }) => ({
    label: names.get(category_id) ?? "",
    corners: [x, y, x + width, y + height],
  }));
  return { frame: [images[0].width, images[0].height], boxes };
}

function page(view, { frame, boxes }, alt) {
  const [width, height] = frame;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alt });
  const size = Math.max(width, height) / 26;
  const kinds = [...new Set(boxes.map(({ label }) => label))];
  for (const { label, corners } of boxes) {
    const colour = COLOURS[kinds.indexOf(label) % COLOURS.length];
    const [x0, y0, x1, y1] = corners;
    const stroke = { fill: "none", stroke: colour, "stroke-width": size / 6 };
    const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    const isPoint = x0 === x1 && y0 === y1;
    drawing.append(isPoint ? svg("circle", { cx: x0, cy: y0, r: size / 3, fill: colour }) : svg("rect", { ...place, ...stroke }));
    const text = { x: x0 + size / 4, y: Math.max(y0 - size / 4, size), fill: colour, "font-size": size };
    drawing.append(svg("text", { ...text, stroke: "#fff", "stroke-width": size / 5, "paint-order": "stroke" }, label));
  }
  requestAnimationFrame(() => {
    const under = pictureBefore(view, width / height);
    if (under) drawing.prepend(svg("image", { href: under.src, width, height, preserveAspectRatio: "none" }));
  });
  return drawing;
}

/** The last picture above the view that has the frame's shape. */
function pictureBefore(view, shape) {
  const before = [...document.images].filter(
    (one) => one.compareDocumentPosition(view) & Node.DOCUMENT_POSITION_FOLLOWING && one.naturalHeight,
  );
  return before.findLast((one) => Math.abs(one.naturalWidth / one.naturalHeight / shape - 1) < SAME_SHAPE);
}

function list({ boxes }) {
  const said = boxes.map(({ label, corners: [x0, y0, x1, y1] }) => {
    const place = x0 === x1 && y0 === y1 ? `${round(x0)}, ${round(y0)}` : `${[x0, y0, x1, y1].map(round).join(", ")}`;
    return h("p", {}, `${label || word("boxes", "unnamed")}: ${place}`);
  });
  return h("div", {}, ...said);
}

const round = (value) => Math.round(value * 10) / 10;

function svg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
