// Small settings in the browser's own storage. It may be full or forbidden: then they are simply not kept.

import { noteDamage } from "./kept.js";

/** What was kept under a name, or `otherwise`, also where `isWhole` says that it is not what was kept. */
export function setting(name, otherwise, isWhole) {
  const text = read(name);
  if (text === null) return otherwise;
  try {
    const value = JSON.parse(text);
    if (isWhole(value)) return value;
  } catch {
    // not JSON
  }
  noteDamage();
  keepSetting(name, null);
  return otherwise;
}

function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Keep a value under a name; null forgets it. */
export function keepSetting(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // not kept
  }
}
