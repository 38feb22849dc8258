// The desk as a whole: what is open, how old, how fast, and on whose shoulders.
import * as api from "./api.js";
import { name_of, PRIORITY_NAMES, STATUS_NAMES } from "./badges.js";
import { figure, lying_bars, standing_bars } from "./charts.js";
import { isolated } from "./direction.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { on_happening, on_join } from "./live.js";
import { day, minutes_said } from "./time.js";

const SPANS = [7, 30, 90];
// Figures follow the live stream at this pace: a dashboard is looked at, not worked on.
const REFRESH_MS = 15_000;

/** @returns {import("./router.js").View} */
export function dashboard_view() {
  let days = 30;
  let timer = 0;
  const abort = new AbortController();
  const spans = h("div.segments", { role: "group", "aria-label": "Span" });
  const body = h("div.dashboard", { "aria-busy": "true" }, Array.from({ length: 6 }, () => h("div.figure", h("span.bone"))));
  const element = h("section.page", h("header.page__header", h("h1.page__title", "Dashboard"), spans), body);

  function paint_spans() {
    fill(spans, SPANS.map((n) => h("button.segments__item", { "aria-pressed": String(n === days), onclick: (e) => { days = n; paint_spans(); spans.querySelector("[aria-pressed=true]").focus(); load(); e.preventDefault(); } }, `${n} days`)));
  }
  async function load() {
    timer = 0;
    try {
      const answer = await api.get(`/api/reports/overview?days=${days}`, { signal: abort.signal });
      body.removeAttribute("aria-busy");
      fill(body, figures(answer.body));
    } catch (error) {
      if (!abort.signal.aborted) fill(body, h("div.empty", { role: "alert" }, icon("alert", "huge"), h("h2", "The figures could not be read"), h("p", error.message), h("button.button", { onclick: load }, "Try again")));
    }
  }
  const stops = [on_join(() => { if (!body.hasAttribute("aria-busy")) load(); }), on_happening(() => { timer ||= window.setTimeout(() => { if (!body.querySelector("details[open]")) load(); else timer = 0; }, REFRESH_MS); })];
  paint_spans();
  load();
  return { element, title: "Dashboard", close: () => { clearTimeout(timer); abort.abort(); stops.forEach((stop) => stop()); } };
}

/** @param {any} r the report */
function figures(r) {
  const open = Object.values(r.open_by_status).reduce((sum, n) => sum + n, 0);
  const counted = (names, counts) => Object.keys(names).filter((k) => k in counts).map((k) => ({ label: names[k], count: counts[k] }));
  const by_status = counted(STATUS_NAMES, r.open_by_status);
  const by_priority = counted(PRIORITY_NAMES, r.open_by_priority).reverse();
  const load = r.load.map((l) => ({ label: isolated(name_of(l.agent)), count: l.open, part: l.breached }));
  const sum = (key) => r.per_day.reduce((total, d) => total + d[key], 0);
  const day_said = (date) => day(`${date}T12:00:00`, Date.now());
  const listed = (items) => items.map((i) => `${i.label} ${i.count}`).join(", ");
  const bars = (title, items) => figure(title, `${title}: ${listed(items)}`, lying_bars(items), ["", "Tickets"], items.map((i) => [i.label, i.count]));
  return [
    h("div.tiles", tile("Open", String(open), "/tickets?status=open,in_progress,pending"), tile("Breached", String(r.breached), "/tickets?status=open,in_progress,pending&breached=true&sort=sla_deadline", r.breached > 0),
      time_tile("First answer", r.first_response_minutes), time_tile("Resolution", r.resolution_minutes)),
    figure(["Tickets per day ", h("span.legend", h("span", h("i"), "created"), h("span", h("i.legend__second"), "resolved"))], `In ${r.days} days ${sum("created")} tickets were created and ${sum("resolved")} resolved.`, standing_bars(r.per_day, day_said), ["Day", "Created", "Resolved"], r.per_day.map((d) => [day_said(d.date), d.created, d.resolved]), "figure--wide"),
    bars("Open by status", by_status), bars("Open by priority", by_priority), bars("Age of open tickets", r.ageing),
    figure("Load per agent", `Open tickets: ${listed(load) || "none"}`, lying_bars(load), ["Agent", "Open", "Breached"], load.map((l) => [l.label, l.count, l.part])),
  ];
}

function tile(label, value, href, is_alarm = false) {
  return h("a", { class: `tile${is_alarm ? " tile--late" : ""}`, href }, h("span.tile__label", label), h("strong.tile__value", value));
}

function time_tile(label, times) {
  const said = (m) => (m === null ? "–" : minutes_said(m));
  return h("div.tile", h("span.tile__label", `${label}, median`), h("strong.tile__value", said(times.median)),
    h("span.tile__more", times.count ? `90 % within ${said(times.p90)}, of ${times.count} tickets` : "none in this span"));
}
