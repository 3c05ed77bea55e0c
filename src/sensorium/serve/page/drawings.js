// Drawings that the model made, kept in the browser's IndexedDB, so that nothing has to be drawn twice.

const open = new Promise((resolve, reject) => {
  const request = indexedDB.open("sensorium", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("drawings");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function ask(mode, action) {
  const store = (await open).transaction("drawings", mode).objectStore("drawings");
  const request = action(store);
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// A browser in private mode may refuse storage: then drawings are simply not kept.
export const kept = (key) => ask("readonly", (store) => store.get(key)).catch(() => undefined);
export const keep = (key, value) => ask("readwrite", (store) => store.put(value, key)).catch(() => undefined);
