// The one module that calls fetch. Waits out 429 and 503, retries what is safe to repeat, and tells
// whoever listens that it is waiting. What the answers mean is for others.

/** An answer outside 2xx, or none (status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {any} body @param {Headers} [headers] */
  constructor(status, body, headers) {
    const error = body?.error ?? { code: "NO_ANSWER", message: is_lost(status) ? "The server cannot be reached." : `The answer was ${status}, without a reason.` };
    super(error.message);
    this.status = status;
    /** @type {string} */ this.code = error.code;
    /** @type {string|null} */ this.field = error.field ?? null;
    this.body = body;
    this.request_id = headers?.get("X-Request-Id") ?? "";
  }
}

/** @typedef {{method?: string, body?: any, key?: string, headers?: Record<string, string>, signal?: AbortSignal, quick?: boolean, by?: number|null}} Options
 * `by` is the person for whom it is sent: whoever is signed in when it begins, where it is left out */
/** @typedef {{status: number, headers: Headers, body: any}} Answer */

const TIMEOUT_MS = 20_000;
const LEAVING_MS = 5000;
// A lost server is asked again after these waits; the last one repeats.
const BACKOFF_S = [1, 2, 4, 8, 15];

let token = "";
/** Whose token it is. @type {number|null} */
let owner = null;
/** Measured from the Date header: the SLA clocks run by the server's clock, not by a wrong one here. */
let skew_ms = 0;
/** Resolves true when the person has signed in again, so that the request can be repeated. @type {() => Promise<boolean>} */
let on_unauthenticated = async () => false;
/** Since the page is being left a lost request says nothing: it was cut off by the browser. */
let is_leaving = false;
/** @type {(wait: {until: number, why: "busy"|"lost", retry: () => void, cancel: () => void}|null) => void} */
let on_wait = () => {};

/** @param {string} value @param {number|null} person whose it is, null for nobody that is known yet */
export function use_token(value, person) {
  token = value;
  owner = person;
}
/** Who is signed in: what takes several requests passes this on with each of them. */
export const sender = () => owner;
/** @param {{unauthenticated: typeof on_unauthenticated, waiting: typeof on_wait}} hooks */
export function use_hooks(hooks) {
  on_unauthenticated = hooks.unauthenticated;
  on_wait = hooks.waiting;
}
/** The server's time, as well as it is known. */
export function now() { return Date.now() + skew_ms; }

/** A new Idempotency-Key: one per intent. */
export function new_key() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** @param {string} path @param {Options} [options] @returns {Promise<Answer>} */
export const get = (path, options) => call(path, options);
/** @param {string} path @param {any} body @param {Options} [options] @returns {Promise<Answer>} */
export const post = (path, body, options) => call(path, { method: "POST", body, key: new_key(), ...options });
/** @param {string} path @param {any} body @param {Options} [options] @returns {Promise<Answer>} */
export const patch = (path, body, options) => call(path, { method: "PATCH", body, key: new_key(), ...options });

/**
 * Send until there is an answer. Repeats carry the same Idempotency-Key, so a retry never acts twice.
 * `quick` gives up rather than wait: for what nobody asked for in so many words. Raises ApiError outside 2xx
 * and 304, and where somebody else is signed in by now: nothing goes out under another name.
 * @param {string} path @param {Options} [options] @returns {Promise<Answer>}
 */
export async function call(path, options = {}) {
  const { by = owner } = options;
  for (let lost = 0; ; ) {
    if (by !== null && by !== owner) throw new ApiError(401, { error: { code: "SIGNED_OUT", message: "The person who wrote this is not signed in any more." } });
    const sent_with = token;
    const answer = await send(path, options).catch((error) => {
      if (options.signal?.aborted) throw error;
      return null;
    });
    if (answer?.status === 401 && !path.startsWith("/api/auth/")) {
      if (sent_with !== token || (sent_with && (await on_unauthenticated()))) continue;
    }
    const is_away = !answer || is_lost(answer.status);
    if (answer && !is_away && answer.status !== 429 && answer.status !== 503) return accepted(answer);
    // Failed sign-ins wait for minutes, which a person is told rather than kept waiting.
    if (options.quick || (answer && /\/(login|register)$/.test(path))) throw new ApiError(answer?.status ?? 0, answer?.body ?? null, answer?.headers);
    const asked = Number(answer?.headers.get("Retry-After"));
    const wait_s = is_away ? BACKOFF_S[Math.min(lost, BACKOFF_S.length - 1)] : asked || 1;
    lost = is_away ? lost + 1 : 0;
    const go_on = await waited(wait_s, is_away ? "lost" : "busy", options.signal);
    if (!go_on && (by === null || by === owner)) throw new ApiError(answer?.status ?? 0, answer?.body ?? null, answer?.headers);
  }
}

/** One request, one answer, no retry: what the console uses. @param {string} path @param {Options} options @returns {Promise<Answer & {text: string}>} */
export async function send(path, { method = "GET", body, key, headers = {}, signal } = {}) {
  const timeout = after(TIMEOUT_MS);
  const sent_at = Date.now();
  const response = await fetch(path, {
    method,
    headers: { ...standing_headers(body, key), ...headers },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    signal: signal ? any_of([signal, timeout]) : timeout,
  });
  const text = await response.text();
  measure_skew(response.headers.get("Date"), sent_at);
  return { status: response.status, headers: response.headers, body: parsed(text), text };
}

/** The live stream's response; the caller reads it. @param {string} last_id @param {AbortSignal} signal */
export function open_stream(last_id, signal) {
  return stream("/api/events", last_id ? { "Last-Event-ID": last_id } : {}, signal);
}

/** Hand over a stream's text as it comes, until `signal`. @param {string} path @param {Record<string, string>} headers @param {(text: string) => void} take @param {AbortSignal} signal */
export async function listen(path, headers, take, signal) {
  try {
    const response = await stream(path, headers, signal);
    const reader = /** @type {ReadableStream} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) take(part.value);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const stream = (path, headers, signal) => fetch(path, { headers: { ...standing_headers(), Accept: "text/event-stream", ...headers }, signal, cache: "no-store" });

/** @param {any} [body] @param {string} [key] @returns {Record<string, string>} */
function standing_headers(body, key) {
  return {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(body !== undefined && { "Content-Type": "application/json" }),
    ...(key && { "Idempotency-Key": key }),
  };
}

/** Whether there was no answer of the desk's own: none at all, or a proxy's that did not get one. @param {number} status */
const is_lost = (status) => status === 0 || status === 502 || status === 504;

/** @param {Answer} answer @returns {Answer} */
function accepted(answer) {
  if (answer.status < 300 || answer.status === 304) return answer;
  throw new ApiError(answer.status, answer.body, answer.headers);
}

/** A signal that comes after so long; for browsers without AbortSignal.timeout too. @param {number} ms @returns {AbortSignal} */
export function after(ms) {
  if (AbortSignal.timeout) return AbortSignal.timeout(ms);
  const own = new AbortController();
  setTimeout(() => own.abort(new DOMException("It took too long.", "TimeoutError")), ms);
  return own.signal;
}

/** The first of several signals; for browsers without AbortSignal.any too. @param {AbortSignal[]} signals @returns {AbortSignal} */
export function any_of(signals) {
  if (AbortSignal.any) return AbortSignal.any(signals);
  const own = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) own.abort(signal.reason);
    else signal.addEventListener("abort", () => own.abort(signal.reason), { once: true, signal: own.signal });
  }
  return own.signal;
}

if (typeof addEventListener === "function") {
  const leave = () => {
    is_leaving = true;
    on_wait(null);
    setTimeout(() => { is_leaving = false; }, LEAVING_MS); // the person stayed after all
  };
  addEventListener("beforeunload", leave);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", () => { is_leaving = false; });
}

/** Resolves true to try again, false when the person cancelled. @param {number} seconds @param {"busy"|"lost"} why @param {AbortSignal} [signal] */
function waited(seconds, why, signal) {
  return new Promise((resolve, reject) => {
    const finish = (go_on) => {
      clearTimeout(timer);
      removeEventListener("online", retry);
      signal?.removeEventListener("abort", abort);
      on_wait(null);
      resolve(go_on);
    };
    const retry = () => finish(true);
    const abort = () => { finish(false); reject(signal?.reason); };
    const timer = setTimeout(retry, seconds * 1000);
    if (why === "lost") addEventListener("online", retry);
    signal?.addEventListener("abort", abort);
    if (!is_leaving) on_wait({ until: Date.now() + seconds * 1000, why, retry, cancel: () => finish(false) });
  });
}

/** @param {string} text */
function parsed(text) {
  try { return text ? JSON.parse(text) : null; } catch { return null; }
}

/** @param {string|null} date @param {number} sent_at */
function measure_skew(date, sent_at) {
  if (!date) return;
  // The header has whole seconds: half a second is its middle, and less than two seconds is no finding.
  const found = Date.parse(date) + 500 - (sent_at + Date.now()) / 2;
  skew_ms = Math.abs(found) < 2000 ? 0 : found;
}
