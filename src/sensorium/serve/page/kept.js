// What the browser keeps for the page may come back damaged, or be another program's. Whatever has another form than
// was kept is dropped, and the person is told, once a visit.

let found = false;
let tell = null;

/** Something was damaged, and is dropped. */
export function noteDamage() {
  found = true;
  sayOnce();
}

/** How to tell the person. */
export function onDamage(say) {
  tell = say;
  sayOnce();
}

function sayOnce() {
  if (!found || !tell) return;
  tell();
  tell = () => {};
}

const isText = (value) => typeof value === "string";
const isThing = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isListOf = (isOne) => (value) => Array.isArray(value) && value.every(isOne);
const isMissingOr = (value, isOne) => value === undefined || value === null || isOne(value);
const isAddress = (value) => isText(value) && value.startsWith("data:");

/** A part as it is kept: text, or a medium by its address, by its key, or by its codes alone. */
export function isPart(part) {
  if (!isThing(part) || !isText(part.type)) return false;
  if (part.type === "text") return isText(part.text);
  const value = part[part.type];
  const isMedium = isMissingOr(value, (one) => isAddress(one) || isAddress(one.url) || isText(one.data));
  return isMedium && isMissingOr(part.kept, isText) && isMissingOr(part.codes, Array.isArray);
}

export const isParts = isListOf(isPart);

const isMessage = (message) =>
  isThing(message) &&
  ["user", "assistant"].includes(message.role) &&
  isParts(message.content) &&
  isMissingOr(message.want, isText) &&
  isMissingOr(message.problem, isText) &&
  isMissingOr(message.thought, isText) &&
  isMissingOr(message.before, isListOf(isListOf(isText))) &&
  [message.seconds, message.energy_wh].every((value) => isMissingOr(value, Number.isFinite));

/** A conversation as `store` keeps it. */
export const isConversation = (value) =>
  isThing(value) &&
  isText(value.id) &&
  isMissingOr(value.title, isText) &&
  isMissingOr(value.at, Number.isFinite) &&
  isListOf(isMessage)(value.messages);

/** What was made at once: words, the kind, and its parts. */
export const isSets = isListOf((set) => isThing(set) && isText(set.words) && isText(set.kind) && isParts(set.parts));
