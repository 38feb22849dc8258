// The fields beside a ticket: its clock, state and people.
import { person_badge, priority_badge, status_badge, tag_list } from "./badges.js";
import { ago, sla_clock } from "./clock.js";
import { open_dialog } from "./dialog.js";
import { fill, h, hidden, refill } from "./dom.js";
import { is_staff, user } from "./session.js";
import { exact, minutes_said, read_minutes } from "./time.js";

const MINUTES_MAX = 525_600;
/** Their badges say which field it is. */
const has_name = ["status", "priority"];

/**
 * @param {{change: (field: import("./change.js").Field, anchor: Element) => void, set: (edits: Record<string, any>) => void, assign_to_me: () => void}} acts
 */
export function ticket_fields(acts) {
  const element = h("aside.fields", { "aria-label": "Fields" });
  /** @type {any} */ let shown = null;

  /** @param {any} t */
  function show(t) {
    shown = t;
    const staff = is_staff();
    const row = (label, content) => h("div.fields__row", h("dt", label), h("dd", content));
    const editable = (label, content, field) =>
      row(label, staff ? h("button.fields__button", { "aria-haspopup": "dialog", dataset: { part: field }, onclick: (e) => acts.change(field, e.currentTarget) }, !has_name.includes(field) && hidden(`${label}: `), content) : content);
    refill(element, h("div",
      h("div.fields__clock", sla_clock(t, { large: true }), h("p.muted", clock_words(t)),
        staff && h("button.link-button", { dataset: { part: "sla" }, onclick: ask_minutes }, "Change the time")),
      h("dl.fields__list",
        editable("Status", status_badge(t.status), "status"),
        editable("Priority", priority_badge(t.priority), "priority"),
        editable("Assignee", person_badge(t.assignee), "assignee_id"),
        staff && t.assignee?.id !== user().id && row("", h("button.link-button", { dataset: { part: "me" }, onclick: acts.assign_to_me }, "Assign to me")),
        editable("Tags", t.tags.length ? tag_list(t.tags) : h("span.muted", "None"), "tags"),
        row("Requester", person_badge(t.creator)),
        row("Opened", ago(t.created_at)),
        row("First answer", t.first_responded_at ? ago(t.first_responded_at) : h("span.muted", "Not yet")),
        t.resolved_at && row("Resolved", ago(t.resolved_at)),
        row("Changed", ago(t.updated_at))),
      requester_acts(t)));
  }

  /** Closing and reopening are a requester's only changes of state. @param {any} t */
  function requester_acts(t) {
    const button = (label, status, primary = false) => h("button", { class: `button${primary ? " button--primary" : ""} button--wide`, dataset: { part: label }, onclick: () => acts.set({ status }) }, label);
    if (is_staff()) return null;
    const finished = t.status === "resolved" || t.status === "closed";
    return h("div.fields__acts", finished && button("Reopen: it is not solved", "open"), t.status !== "closed" && button(t.status === "resolved" ? "Yes, it is solved: close" : "Close the ticket", "closed", t.status === "resolved"));
  }

  async function ask_minutes() {
    const minutes = await open_dialog({
      title: "Time to resolve",
      body: (close) => {
        const input = h("input.input", { type: "text", required: true, value: shown.sla_minutes, autocomplete: "off", autofocus: true, "aria-label": "Time to resolve, in minutes or such as 4h or 1d 12h" });
        const error = h("p.form-error", { role: "alert" });
        function send() {
          const typed = read_minutes(input.value);
          if (typed !== null && typed >= 1 && typed <= MINUTES_MAX) return close(typed);
          fill(error, typed === null ? "Write minutes, or a time such as 4h, 1.5h or 1d 12h." : "From 1 minute to 365 days.");
          return input.focus();
        }
        return h("form", { novalidate: true, onsubmit: (e) => { e.preventDefault(); send(); } },
          h("p.muted", "Minutes from the opening, or a time such as 4h or 1d 12h; without the time spent pending."), input, error,
          h("div.dialog__actions", h("button.button.button--primary", { type: "submit" }, "Set")));
      },
    });
    if (minutes) acts.set({ sla_minutes: minutes });
  }
  return { element, show };
}

/** @param {any} t */
function clock_words(t) {
  const whole = minutes_said(t.sla_minutes);
  if (t.status === "resolved" || t.status === "closed") return t.breached ? `Finished after its ${whole}` : `Finished within its ${whole}`;
  if (t.status === "pending") return "The clock stands while the requester is asked";
  return `Due ${exact(t.sla_deadline)}, ${whole} in all`;
}
