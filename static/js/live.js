// Committed timeline entries as they happen. One tab of a person holds the stream and passes entries on
// to the others; whichever tab holds it resumes after the last entry that it saw, so none is missed or doubled.
import * as api from "./api.js";
import { lead_alone } from "./leader.js";
import { sse_parser } from "./sse.js";

/** @typedef {{entry: any, ticket: any}} Happening */
/** @typedef {"off"|"connecting"|"live"|"lost"} LiveState */

const BACKOFF_S = [1, 2, 4, 8, 15];
// The server sends a line every 15 s; two missed ones mean that the connection is dead though open.
const SILENCE_MS = 35_000;

/** @type {Set<(happening: Happening) => void>} */
const listeners = new Set();
/** @type {Set<(state: LiveState, until: number) => void>} */
const watchers = new Set();
/** @type {Set<() => void>} */
const joiners = new Set();
/** @type {LiveState} */
let state = "off";
let retry_at = 0;
let last_id = 0;
/** @type {AbortController|null} */
let session = null;
/** @type {BroadcastChannel|null} */
let channel = null;
let wake = () => {};

/** @param {(happening: Happening) => void} listener @returns {() => void} stop */
export function on_happening(listener) { listeners.add(listener); return () => listeners.delete(listener); }
/** @param {(state: LiveState, until: number) => void} watcher told now and at each change @returns {() => void} stop */
export function on_state(watcher) { watchers.add(watcher); watcher(state, retry_at); return () => watchers.delete(watcher); }
/** Told when the first connection stands, and when the desk was restored: what was read before may be stale. @param {() => void} joiner */
export function on_join(joiner) { joiners.add(joiner); return () => joiners.delete(joiner); }
/** Resolves when the connection stands, or soon without it: what is read after it needs no second reading. */
export async function settled() {
  if (state === "live") return;
  /** @type {() => void} */ let stop = () => {};
  const stands = new Promise((resolve) => { stop = on_state((now) => now === "live" && resolve(now)); });
  await Promise.race([stands, new Promise((resolve) => { setTimeout(resolve, 300); })]);
  stop();
}
/** Try now rather than at the end of the wait. */
export function retry_now() { wake(); }

/** @param {number} user_id */
export function connect(user_id) {
  disconnect();
  session = new AbortController();
  const { signal } = session;
  set_state("connecting");
  const name = `helpdesk.live.${user_id}`;
  if (typeof BroadcastChannel === "function") {
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => heard(data);
    channel.postMessage({ type: "hello" });
  }
  lead_alone(name, signal, lead);
}

export function disconnect() {
  session?.abort();
  session = null;
  channel?.close();
  channel = null;
  last_id = 0;
  set_state("off");
}

/** Another tab's word. @param {any} message */
function heard(message) {
  if (message.type === "happening") deliver(message.happening);
  else if (message.type === "reset") start_again(message.last_id);
  else if (message.type === "hello" && leading) channel?.postMessage({ type: "state", state, until: retry_at, last_id });
  else if (message.type === "state") {
    set_state(message.state, message.until);
    last_id ||= message.last_id;
  }
}

let leading = false;
/** Hold the stream until signed out. @param {AbortSignal} signal */
async function lead(signal) {
  leading = true;
  for (let tries = 0; !signal.aborted; ) {
    const began = Date.now();
    const done = await read_stream(signal).catch(() => null);
    if (signal.aborted || done === "refused") break;
    tries = Date.now() - began > 20_000 || done === "ended" ? 0 : tries + 1;
    const wait_s = done && typeof done === "object" ? done.wait_s : BACKOFF_S[Math.min(tries, BACKOFF_S.length - 1)];
    // Some spread, so that a restarted server does not meet every browser at the same moment.
    const wait_ms = wait_s * 1000 * (0.8 + Math.random() * 0.4);
    share_state("lost", Date.now() + wait_ms);
    await pause(wait_ms, signal);
    if (!signal.aborted) share_state("connecting", 0);
  }
  leading = false;
}

/** @param {AbortSignal} signal @returns {Promise<"ended"|"refused"|{wait_s: number}>} */
async function read_stream(signal) {
  const cut = new AbortController();
  const response = await api.open_stream(last_id ? String(last_id) : "", api.any_of([signal, cut.signal]));
  if (response.status === 401 || response.status === 403) {
    await api.get("/api/me", { quick: true }).catch(() => null); // says the same and leads to sign-in
    return "refused";
  }
  if (!response.ok || !response.body) {
    cut.abort();
    return { wait_s: Number(response.headers.get("Retry-After")) || 5 };
  }
  share_state("live", 0);
  const parser = sse_parser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const end = () => cut.abort();
  let watchdog = setTimeout(end, SILENCE_MS);
  addEventListener("offline", end); // the browser may keep a dead connection open for minutes
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return "ended";
      clearTimeout(watchdog);
      watchdog = setTimeout(end, SILENCE_MS);
      for (const event of parser.feed(value)) take(event);
      last_id = Math.max(last_id, Number(parser.last_id()) || 0);
    }
  } finally {
    clearTimeout(watchdog);
    removeEventListener("offline", end);
  }
}

/** @param {import("./sse.js").ServerEvent} event */
function take({ id, event, data }) {
  if (event.startsWith("ticket.")) pass_on(JSON.parse(data));
  if (event !== "reset") return;
  start_again(Number(id));
  channel?.postMessage({ type: "reset", last_id });
}

/** The desk has gone back to an earlier state: what was seen may not have happened. @param {number} newest */
function start_again(newest) {
  last_id = newest;
  for (const joiner of [...joiners]) joiner();
}

/** @param {Happening} happening */
function pass_on(happening) {
  deliver(happening);
  channel?.postMessage({ type: "happening", happening });
}

/** Ids grow in commit order: anything at or below the last one was seen. @param {Happening} happening */
function deliver(happening) {
  if (happening.entry.id <= last_id) return;
  last_id = happening.entry.id;
  for (const listener of [...listeners]) listener(happening);
}

/** @param {LiveState} next @param {number} until */
function share_state(next, until) {
  set_state(next, until);
  channel?.postMessage({ type: "state", state: next, until, last_id });
}

/** @param {LiveState} next @param {number} [until] */
function set_state(next, until = 0) {
  const joined = next === "live" && state !== "live";
  state = next;
  retry_at = until;
  for (const watcher of watchers) watcher(state, until);
  if (joined && last_id === 0) for (const joiner of [...joiners]) joiner();
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); removeEventListener("online", done); signal.removeEventListener("abort", done); resolve(); };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
    wake = done;
  });
}
