// Who is signed in here: the token, the person, and signing out.
import * as api from "./api.js";
import { flush_drafts } from "./drafts.js";
import { local, tab } from "./storage.js";

const TOKEN = "helpdesk.token";
/** @type {any} */
let me = null;
/** @type {any} */
let meta = null;

/** The signed-in person; null for none. */
export const user = () => me;
export const is_staff = () => me !== null && me.role !== "user";
export const is_admin = () => me !== null && me.role === "admin";
/** `/api/_meta`: roles, statuses, priorities, limits, mode. */
export const desk = () => meta;

/** Read the desk's facts and the person behind a kept token. Raises ApiError only when the server is lost. */
export async function begin() {
  const kept = tab.get(TOKEN) ?? local.get(TOKEN) ?? "";
  api.use_token(kept);
  const [facts, person] = await Promise.all([
    api.get("/api/_meta"),
    kept ? api.get("/api/me").catch(refused) : null,
  ]);
  meta = facts.body;
  me = person?.body ?? null;
}

/** @param {string} path @param {any} body @param {string} key @param {boolean} keep on this device, not only in this tab */
export async function sign_in(path, body, key, keep) {
  const answer = await api.post(path, body, { key });
  forget_token();
  (keep ? local : tab).set(TOKEN, answer.body.token);
  api.use_token(answer.body.token);
  me = answer.body.user;
  return me;
}

/** End the token at the server, then here. A lost server does not keep anyone signed in here. */
export async function sign_out() {
  await api.call("/api/auth/logout", { method: "POST", signal: AbortSignal.timeout(5000) }).catch(() => null);
  drop();
}

/** Forget the person without telling the server: the token is dead already. */
export function drop() {
  flush_drafts();
  forget_token();
  api.use_token("");
  me = null;
}

/** @param {any} person as PATCH /api/me answered */
export function renew(person) { me = { ...me, ...person }; }

function forget_token() {
  tab.remove(TOKEN);
  local.remove(TOKEN);
}

function refused(error) {
  if (error.status !== 401) throw error;
  return null;
}
