// The conversations: {id, title, at, messages: [{role, content: [part]}]}. They are kept in the browser's database,
// their media apart from them, so that a list of conversations does not load what was shown in them.

import { read, readAll, transact } from "./database.js";
import { isConversation, noteDamage } from "./kept.js";
import { addressOf, blobOf, mediaPart, modalityOf, urlOfBlob } from "./media.js";
import { keepSetting, setting } from "./settings.js";

const ONCE_KEPT = "sensorium.conversations"; // in localStorage, by earlier versions

let records = []; // newest first; in place of a medium's address they have `kept`, its key in the database
const live = new Map(); // id -> the conversation itself, of those that were opened or spoken in since the page started
const keys = new WeakMap(); // part -> the key of its medium
let writing = Promise.resolve();

export const all = () => records;

/** A conversation with nothing in it; it is kept only once something is said. */
export const fresh = () => ({ id: newKey(), title: "", messages: [] });

/** The modalities of everything that was said. */
export const modalities = () => records.flatMap(partsOf).map(modalityOf);

const newKey = () => crypto.getRandomValues(new Uint32Array(2)).join("-");
const partsOf = ({ messages }) => messages.flatMap(({ content }) => content);
const keysOf = (record) => partsOf(record).flatMap(({ kept }) => kept ?? []);
const withParts = (conversation, change) => ({
  ...conversation,
  messages: conversation.messages.map((message) => ({ ...message, content: change(message.content) })),
});

/** Read what is kept; also what another tab has kept since. */
export async function load() {
  await adopt();
  await refresh();
}

async function refresh() {
  try {
    const isWhole = (value, key) => isConversation(value) && value.id === key;
    records = (await readAll("conversations", isWhole)).sort((one, other) => other.at - one.at);
  } catch {
    records = [...live.values()].map(light).sort((one, other) => other.at - one.at); // this visit's alone
  }
}

/** A conversation with its media. */
export async function open(id) {
  if (live.has(id)) return live.get(id);
  const record = records.find((one) => one.id === id);
  if (!record) return fresh();
  const parts = new Map();
  for (const part of partsOf(record)) parts.set(part, part.kept ? await heavy(part) : part);
  const conversation = withParts(record, (content) => content.map((part) => parts.get(part)).filter(Boolean));
  live.set(id, conversation);
  return conversation;
}

/** The newest media of some modalities, at most `most`. */
export async function recent(names, most) {
  const found = records.flatMap(partsOf).filter((part) => part.kept && names.includes(modalityOf(part)));
  return (await Promise.all(found.slice(0, most).map(heavy))).filter(Boolean);
}

/** Keep a conversation, as the newest. A promise of false where it could not be written. */
export function keep(conversation) {
  conversation.at = Date.now();
  live.set(conversation.id, conversation);
  writing = writing.then(() => write(conversation));
  return writing;
}

async function write(conversation) {
  const before = keysOf(records.find(({ id }) => id === conversation.id) ?? { messages: [] });
  const media = partsOf(conversation).filter((part) => addressOf(part) && !before.includes(keys.get(part)));
  const record = light(conversation);
  const gone = before.filter((key) => !keysOf(record).includes(key));
  try {
    await transact(["conversations", "media"], "readwrite", (conversations, store) => {
      for (const part of media) store.put(blobOf(addressOf(part)), keys.get(part));
      for (const key of gone) store.delete(key);
      return conversations.put(record, record.id);
    });
  } catch {
    records = [record, ...records.filter(({ id }) => id !== record.id)];
    return false;
  }
  await refresh();
  return true;
}

export async function remove(id) {
  await writing;
  const gone = keysOf(records.find((record) => record.id === id));
  live.delete(id);
  records = records.filter((record) => record.id !== id);
  await transact(["conversations", "media"], "readwrite", (conversations, store) => {
    conversations.delete(id);
    for (const key of gone) store.delete(key);
  }).catch(() => {});
}

/** A conversation as it is kept: instead of each medium its key. */
const light = (conversation) => withParts(conversation, (content) => content.map(lightPart));

function lightPart(part) {
  if (!addressOf(part)) return part;
  if (!keys.has(part)) keys.set(part, newKey());
  const { [part.type]: _, ...rest } = part;
  return { ...rest, type: `${modalityOf(part)}_url`, kept: keys.get(part) };
}

/** The part with its medium, or null when that is gone. */
async function heavy({ kept, ...rest }) {
  const blob = await read("media", kept, (value) => value instanceof Blob).catch(() => null);
  if (!blob) return null;
  const part = { ...rest, ...mediaPart(modalityOf(rest), await urlOfBlob(blob)) };
  keys.set(part, kept);
  return part;
}

/** Take over what earlier versions kept in localStorage, once; what is damaged there is let go. */
async function adopt() {
  const once = setting(ONCE_KEPT, [], Array.isArray);
  keepSetting(ONCE_KEPT, null);
  for (const conversation of once.reverse()) {
    if (isConversation(conversation)) await keep(conversation);
    else noteDamage();
  }
}
