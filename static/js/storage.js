// What this browser keeps for the desk. Where storage is forbidden, full or switched off, values are kept
// in memory as long as the page is open.

/** @typedef {{get: (key: string) => string|null, set: (key: string, value: string) => void, remove: (key: string) => void, keys: (stem: string) => string[]}} Store */

/** @type {Set<() => void>} */ const listeners = new Set();
/** Call `listener` whenever a value could be kept in memory only. @param {() => void} listener */
export function on_unkept(listener) { listeners.add(listener); }

/** @param {() => Storage|null} open raises where cookies are blocked; null where storage is switched off @returns {Store} */
export function store_over(open) {
  /** @type {Storage|null} */ let under = null;
  /** Beside the browser's store: what it did not take, and null for what it did not remove. @type {Map<string, string|null>} */
  const memory = new Map();
  try {
    under = open();
  } catch {
    under = null;
  }
  const tried = (act, otherwise) => {
    try {
      return under ? act(under) : otherwise;
    } catch {
      return otherwise;
    }
  };
  return {
    get: (key) => (memory.has(key) ? memory.get(key) ?? null : tried((s) => s.getItem(key), null)),
    set(key, value) {
      const is_kept = tried((s) => (s.setItem(key, value), true), false);
      if (is_kept) {
        memory.delete(key);
        return;
      }
      memory.set(key, value);
      for (const listener of listeners) listener();
    },
    remove(key) {
      const is_gone = tried((s) => (s.removeItem(key), true), false);
      if (is_gone) memory.delete(key);
      else memory.set(key, null);
    },
    keys(stem) {
      const stored = tried((s) => Array.from({ length: s.length }, (_, n) => s.key(n) ?? ""), []);
      const all = new Set([...stored, ...memory.keys()]);
      return [...all].filter((key) => key.startsWith(stem) && memory.get(key) !== null).sort();
    },
  };
}

/** Kept on this device. */
export const local = store_over(() => globalThis.localStorage ?? null);
/** Kept for this tab. */
export const tab = store_over(() => globalThis.sessionStorage ?? null);
