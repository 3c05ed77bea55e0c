// The browser's database (IndexedDB): conversations, their media, and what the model made.
// A browser in private mode may refuse it, or its disk may be full: then the promises here reject.

import { noteDamage } from "./kept.js";

const STORES = ["conversations", "media", "made"];

const opening = new Promise((resolve, reject) => {
  const request = indexedDB.open("sensorium", 2);
  request.onupgradeneeded = () => {
    const database = request.result;
    for (const name of database.objectStoreNames) database.deleteObjectStore(name);
    for (const name of STORES) database.createObjectStore(name);
  };
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
  request.onblocked = () => reject(new Error("another tab holds an older database open"));
});
opening.catch(() => {}); // told to whoever asks

/**
 * One transaction over `names`. `act` gets their object stores and may return a request, whose result is the promise's
 * once everything is written.
 */
export async function transact(names, mode, act) {
  const transaction = (await opening).transaction(names, mode);
  const request = act(...names.map((name) => transaction.objectStore(name)));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

/** What is kept under a key, undefined where it is not what `isWhole` says; that is dropped. */
export async function read(name, key, isWhole) {
  const value = await transact([name], "readonly", (store) => store.get(key));
  return value === undefined || isWhole(value) ? value : drop(name, [key]);
}

/** All that is kept and whole, which may depend on its key; the rest is dropped. */
export async function readAll(name, isWhole) {
  const found = [];
  await transact([name], "readonly", (store) => {
    store.openCursor().onsuccess = ({ target: { result: cursor } }) => {
      if (!cursor) return;
      found.push([cursor.key, cursor.value]);
      cursor.continue();
    };
  });
  const isDamaged = ([key, value]) => !isWhole(value, key);
  if (found.some(isDamaged)) await drop(name, found.filter(isDamaged).map(([key]) => key));
  return found.filter((entry) => !isDamaged(entry)).map(([, value]) => value);
}

async function drop(name, keys) {
  noteDamage();
  await transact([name], "readwrite", (store) => keys.forEach((key) => store.delete(key))).catch(() => {});
}

/** What the model made, by a key; where nothing can be kept, there is nothing. */
export const made = (key, isWhole) => read("made", key, isWhole).catch(() => undefined);
export const keepMade = (key, value) =>
  transact(["made"], "readwrite", (store) => store.put(value, key)).catch(() => undefined);
