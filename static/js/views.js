// The standing views beside the list, with their counts.
import * as api from "./api.js";
import { on_happening, on_join } from "./live.js";
import { is_staff } from "./session.js";

/** @typedef {{key: string, name: string, search: string, count?: (stats: any) => number, alarm?: boolean}} StandingView */

const UNFINISHED = "status=open,in_progress,pending";
// Counts follow the live stream, but not at each entry: one call in this time is enough for a person.
const REFRESH_MS = 8000;

/** @type {StandingView[]} */
const STAFF = [
  { key: "m", name: "Mine", search: `?${UNFINISHED}&assignee_id=me&sort=sla_deadline`, count: (s) => s.mine },
  { key: "u", name: "Unassigned", search: `?${UNFINISHED}&assignee_id=none&sort=sla_deadline`, count: (s) => s.unassigned },
  { key: "b", name: "Due next", search: "?status=open,in_progress&sort=sla_deadline", count: (s) => s.by_status.open + s.by_status.in_progress },
  { key: "x", name: "Breached", search: `?${UNFINISHED}&breached=true&sort=sla_deadline`, count: (s) => s.breached, alarm: true },
  { key: "w", name: "Pending", search: "?status=pending&sort=updated_at", count: (s) => s.by_status.pending },
  { key: "o", name: "All open", search: `?${UNFINISHED}`, count: (s) => s.total },
  { key: "t", name: "Everything", search: "" },
];
/** @type {StandingView[]} */
const REQUESTER = [
  { key: "o", name: "Open", search: `?${UNFINISHED}` },
  { key: "f", name: "Finished", search: "?status=resolved,closed" },
  { key: "t", name: "All my tickets", search: "" },
];

export const standing_views = () => (is_staff() ? STAFF : REQUESTER);
export const home_path = () => `/tickets?${UNFINISHED}`;

/** Keep counts in step. @param {(stats: any) => void} show @returns {() => void} stop */
export function follow_counts(show) {
  if (!is_staff()) return () => {};
  let timer = 0;
  let last = 0;
  const abort = new AbortController();
  const read = async () => {
    timer = 0;
    last = Date.now();
    const answer = await api.get("/api/tickets/stats?unresolved=true", { signal: abort.signal, quick: true }).catch(() => null);
    if (answer) show(answer.body);
  };
  let is_stale = false;
  // A tab that nobody looks at asks for nothing until somebody does.
  const soon = () => {
    is_stale = document.hidden;
    if (!is_stale) timer ||= window.setTimeout(read, Math.max(500, REFRESH_MS - (Date.now() - last)));
  };
  const looked_at = () => { if (is_stale) soon(); };
  document.addEventListener("visibilitychange", looked_at);
  const stops = [on_happening(({ entry }) => { if (entry.action !== "commented") soon(); }), on_join(soon)];
  read();
  return () => { document.removeEventListener("visibilitychange", looked_at); clearTimeout(timer); abort.abort(); stops.forEach((stop) => stop()); };
}
