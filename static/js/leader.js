// One tab of several does something for all: it holds a lock of the browser, or, where a page has none (plain
// http under a host name), the tabs agree by messages. Timers of hidden tabs are slow, so nobody has to say by
// itself that it leads: who wants to lead asks first, and messages are answered at once.

/** @typedef {{type: "who"|"lead"|"free", from: string}} Word */

export const ASK_EVERY_MS = 3000;
export const ANSWER_MS = 500;

/**
 * Run `work` in one of all tabs that call this with the same name, again and again in another one when that
 * one ends; until `signal`. The signal that `work` is given ends it when another tab leads as well.
 * @param {string} name @param {AbortSignal} signal @param {(signal: AbortSignal) => Promise<void>} work
 */
export function lead_alone(name, signal, work) {
  if (globalThis.navigator?.locks) navigator.locks.request(name, { signal }, () => work(signal)).catch(() => {});
  else if (typeof BroadcastChannel === "function") lead_by_words(new BroadcastChannel(`${name}.leader`), signal, work);
  else work(signal);
}

/**
 * @param {BroadcastChannel} channel @param {AbortSignal} signal @param {(signal: AbortSignal) => Promise<void>} work
 * @param {{ask_every_ms?: number, answer_ms?: number, id?: string}} [times]
 */
export function lead_by_words(channel, signal, work, { ask_every_ms = ASK_EVERY_MS, answer_ms = ANSWER_MS, id = `${Math.random()}` } = {}) {
  /** @type {AbortController|null} */ let leading = null;
  let is_answered = false;
  let timer = 0;
  const say = (/** @type {Word["type"]} */ type) => channel.postMessage({ type, from: id });
  const next = (/** @type {() => void} */ step, /** @type {number} */ ms) => {
    clearTimeout(timer);
    timer = /** @type {any} */ (setTimeout(step, ms));
  };

  function ask() {
    is_answered = false;
    say("who");
    // Those who ask at the same moment answer one after the other.
    next(() => (is_answered ? next(ask, ask_every_ms) : lead()), answer_ms * (1 + Math.random()));
  }
  function lead() {
    clearTimeout(timer);
    const own = new AbortController();
    leading = own;
    say("lead");
    work(own.signal).then(() => {}, () => {}).then(() => {
      if (leading !== own) return;
      leading = null;
      if (!signal.aborted) next(ask, ask_every_ms);
    });
  }
  function step_down() {
    leading?.abort();
    leading = null;
    next(ask, ask_every_ms);
  }

  channel.onmessage = ({ data }) => {
    if (data.type === "who" && leading) say("lead");
    else if (data.type === "free" && !leading) next(ask, answer_ms * Math.random());
    else if (data.type === "lead") {
      is_answered = true;
      if (!leading) return;
      if (data.from < id) step_down();
      else say("lead");
    }
  };
  const leave = () => {
    clearTimeout(timer);
    if (leading) say("free");
    leading?.abort();
    leading = null;
    channel.close();
  };
  signal.addEventListener("abort", leave);
  // A page that goes away may not come to anything else.
  if (typeof document === "object") addEventListener("pagehide", () => leading && say("free"), { signal });
  ask();
}
