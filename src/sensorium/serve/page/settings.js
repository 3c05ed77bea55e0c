// Small settings in the browser's own storage. It may be full, forbidden or damaged: then they are simply not kept.

/** What was kept under a name, or `otherwise`. */
export function setting(name, otherwise = null) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
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
