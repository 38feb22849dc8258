// How moments and spans of time are said. Pure; the time zone and language are the browser's.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const exact_format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day_format = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const year_format = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

/** The exact local moment. @param {string|number} at */
export function exact(at) {
  return exact_format.format(new Date(at));
}

/** A local date, with the year only where it is not this one. @param {string|number} at @param {number} now ms */
export function day(at, now) {
  const then = new Date(at);
  const same_year = then.getFullYear() === new Date(now).getFullYear();
  return (same_year ? day_format : year_format).format(then);
}

/**
 * How long ago, or in how long: "now", "5 min ago", "3 h ago", "2 d ago", then the date.
 * @param {string|number} at @param {number} now ms
 */
export function relative(at, now) {
  const gone = now - new Date(at).getTime();
  const size = Math.abs(gone);
  if (size < 45_000) return "now";
  if (size >= 14 * DAY) return day(at, now);
  const said =
    size < HOUR ? `${Math.max(1, Math.round(size / MINUTE))} min`
    : size < DAY ? `${Math.floor(size / HOUR)} h`
    : `${Math.floor(size / DAY)} d`;
  return gone >= 0 ? `${said} ago` : `in ${said}`;
}

/** A span in two units at most: "2d 4h", "3h 05m", "12m 09s", "42s". @param {number} ms */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const days = Math.floor(s / 86400);
  const hours = Math.floor((s % 86400) / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  if (days) return `${days}d ${two(hours)}h`;
  if (hours) return `${hours}h ${two(minutes)}m`;
  if (minutes) return `${minutes}m ${two(s % 60)}s`;
  return `${s}s`;
}

/** Minutes in words for settings and reports: "45 min", "4 h", "1.5 d". @param {number} minutes */
export function minutes_said(minutes) {
  const tidy = (n) => String(Math.round(n * 10) / 10);
  if (minutes < 90) return `${tidy(minutes)} min`;
  if (minutes < 2880) return `${tidy(minutes / 60)} h`;
  return `${tidy(minutes / 1440)} d`;
}

const UNITS = /** @type {Record<string, number>} */ ({ m: 1, min: 1, minute: 1, minutes: 1, mins: 1, h: 60, hr: 60, hrs: 60, hour: 60, hours: 60, d: 1440, day: 1440, days: 1440, w: 10_080, week: 10_080, weeks: 10_080 });
const PART = /(\d+(?:[.,]\d+)?)\s*([a-z]*)\s*/gy;

/**
 * Minutes as a person types them: "90", "4h", "1.5 h", "1d 4h", "1h30". Null where they cannot be read.
 * @param {string} text
 */
export function read_minutes(text) {
  const typed = text.trim().toLowerCase();
  let total = 0;
  let unit = 0;
  PART.lastIndex = 0;
  for (let at = 0; at < typed.length; at = PART.lastIndex) {
    const part = PART.exec(typed);
    if (!part) return null;
    // A number without a unit is of minutes, alone or after hours.
    const next = part[2] ? UNITS[part[2]] : 1;
    if (!next || (unit && next >= unit)) return null;
    total += Number(part[1].replace(",", ".")) * next;
    unit = next;
  }
  return typed && Number.isFinite(total) ? Math.round(total) : null;
}

/**
 * @typedef {{tone: "running"|"soon"|"breached"|"paused"|"met", text: string, words: string, left: number}} Reading
 */

/**
 * What a ticket's clock shows at `now`. `left` is the share of the time that is left, 0 to 1; the last
 * fifth is "soon". A paused clock stands at what was left when it paused; a stopped one says how it ended.
 * @param {any} ticket as listed by the API
 * @param {number} now ms
 * @returns {Reading}
 */
export function clock_reading(ticket, now) {
  const due = Date.parse(ticket.sla_deadline);
  const stopped = ticket.status === "resolved" || ticket.status === "closed";
  if (stopped) {
    return ticket.breached
      ? { tone: "breached", text: "Missed", words: "Finished after its deadline", left: 0 }
      : { tone: "met", text: "Met", words: "Finished within its time", left: 1 };
  }
  if (ticket.sla_state === "paused" || ticket.status === "pending") return paused_reading(ticket, due);
  const left_ms = due - now;
  if (left_ms <= 0) return { tone: "breached", text: `−${span(-left_ms)}`, words: `Overdue by ${span(-left_ms)}`, left: 0 };
  const left = Math.min(1, left_ms / (ticket.sla_minutes * MINUTE));
  if (ticket.breached) return { tone: "breached", text: span(left_ms), words: `Breached before; ${span(left_ms)} left now`, left };
  return { tone: left <= 0.2 ? "soon" : "running", text: span(left_ms), words: `${span(left_ms)} left`, left };
}

/** @param {any} ticket @param {number} due ms @returns {Reading} */
function paused_reading(ticket, due) {
  if (ticket.breached) return { tone: "breached", text: "Paused, late", words: "Paused after its deadline passed", left: 0 };
  // While pending, updated_at is no measure of the pause (comments move it): only the deadline is certain.
  return { tone: "paused", text: "Paused", words: `Paused; stood at ${exact(due)}`, left: 1 };
}
