// The colour of a code: the same for the same number of the same codebook everywhere.

const GOLDEN_ANGLE = 137.508;
const BOOK_ANGLE = 61;

export function colourOf(code, book = 0) {
  const hue = (code * GOLDEN_ANGLE + book * BOOK_ANGLE) % 360;
  return `oklch(${0.6 + 0.06 * (code % 5)} 0.12 ${hue.toFixed(1)})`;
}
