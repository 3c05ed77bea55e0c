// The conversations, kept in localStorage: [{id, title, messages: [{role, content: [part]}]}], newest first.

import { modalityOf } from "./media.js";

const KEPT = "sensorium.conversations";

let conversations = read();

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

export const all = () => conversations;
export const find = (id) => conversations.find((conversation) => conversation.id === id);

/** The modalities of everything that was said. */
export const modalities = () =>
  conversations.flatMap(({ messages }) => messages.flatMap(({ content }) => content.map(modalityOf)));

/** A conversation with nothing in it; it is kept only once something is said. */
export const fresh = () => ({ id: crypto.getRandomValues(new Uint32Array(2)).join("-"), title: "", messages: [] });

// What is kept is read again before it is changed: another tab may have changed it.

/** Keep a conversation, as the newest. False when the browser's storage is full: then nothing changes there. */
export function keep(conversation) {
  conversations = [conversation, ...read().filter(({ id }) => id !== conversation.id)];
  return write();
}

export function remove(id) {
  conversations = read().filter((conversation) => conversation.id !== id);
  write();
}

function write() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(conversations));
    return true;
  } catch {
    return false;
  }
}
