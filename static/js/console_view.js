// Every call of the API by hand: made from /api/openapi.json, sent once and shown as it came back.
import * as api from "./api.js";
import { note } from "./announce.js";
import { call_form } from "./call_form.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

// Above the default bucket of 60, so that the limit shows.
const BURST = 75;
const LISTEN_MS = 10_000;
const memory = { kept: { id: "1" } };

/** @param {import("./router.js").Context} context @returns {import("./router.js").View} */
export function console_view(context) {
  /** @type {any} */ let spec = null;
  /** @type {any} a call_form */ let form = null;
  /** @type {import("./call_form.js").Request|null} */ let last = null;
  let abort = new AbortController();
  const index = h("nav.console__index", { "aria-label": "Calls" });
  const panel = h("div.console__panel", h("p.muted", "Choose a call."));
  const result = h("section.console__result", { "aria-label": "Answer", "aria-live": "polite" });
  const element = h("section.page", h("header.page__header", h("h1.page__title", "API console"), h("p.muted", "Real calls, as yourself, on the real data.")), h("div.console", index, panel));

  async function load() {
    try {
      spec = (await api.get("/api/openapi.json", { signal: abort.signal })).body;
      paint_index();
      choose(new URLSearchParams(context.search).get("call"));
    } catch (error) {
      if (!abort.signal.aborted) fill(panel, h("div.empty", { role: "alert" }, icon("alert", "huge"), h("h2", "The API's description could not be read"), h("p", error.message), h("button.button", { onclick: load }, "Try again")));
    }
  }
  function calls() {
    return Object.entries(spec.paths).flatMap(([path, methods]) => Object.entries(methods).filter(([, o]) => o.responses).map(([method, operation]) => ({ method, path, operation, id: operation.operationId ?? `${method} ${path}` })));
  }
  function paint_index() {
    const groups = calls().reduce((map, c) => {
      const name = c.operation.tags?.[0] ?? "other";
      return map.set(name, [...(map.get(name) ?? []), c]);
    }, new Map());
    fill(index, [...groups].map(([name, list]) => h("section", h("h2.side__heading", name), h("ul.side__list", list.map((c) => h("li",
      h("a.call__link", { href: `/console?call=${encodeURIComponent(c.id)}`, dataset: { id: c.id }, title: c.operation.summary }, method_sign(c.method), h("span", c.path.replace(/^\/api/, "")))))))));
  }
  function choose(id) {
    const call = calls().find((c) => c.id === id);
    for (const a of index.querySelectorAll("a")) if (a.dataset.id === id) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
    if (!call) return;
    form = call_form(spec, call, memory);
    fill(result);
    const has_key = call.operation.parameters?.some((p) => p.name === "Idempotency-Key");
    const has_version = call.method === "patch" && call.operation.parameters?.some((p) => p.name === "If-Match");
    fill(panel, h("h2.call__title", method_sign(call.method), h("code", call.path)), h("p.muted", call.operation.summary),
      h("form", { onsubmit: (e) => { e.preventDefault(); send(form.read()); } }, form.element,
        h("div.call__acts", h("button.button.button--primary", { type: "submit" }, "Send"),
          has_key && h("button.button", { onclick: () => send(last ?? form.read()) }, "Repeat with the same key"),
          has_version && h("button.button", { onclick: stale }, "Send a stale version"),
          h("button.button", { onclick: burst }, `Burst of ${BURST}`), h("button.button.button--quiet", { onclick: copy }, icon("copy"), "Copy as curl"))), result);
  }

  /** @param {import("./call_form.js").Request} request */
  async function send(request) {
    last = request;
    const began = performance.now();
    fill(result, h("p.muted", "Waiting for the answer…"));
    try {
      if (request.path.startsWith("/api/events")) return await listen(request);
      const answer = await api.send(request.path, { ...request, signal: abort.signal });
      paint_answer(answer, performance.now() - began);
    } catch (error) {
      if (!abort.signal.aborted) fill(result, h("p.form-error", error.message || "No answer."));
    }
    return undefined;
  }
  /** The stream has no end: show what comes for some seconds. @param {import("./call_form.js").Request} request */
  async function listen(request) {
    const out = h("pre.console__body", { tabindex: "0" });
    fill(result, h("p", `Listening for ${LISTEN_MS / 1000} s; change a ticket in another tab to see an entry come.`), out);
    await api.listen(request.path, request.headers, (text) => out.append(text), api.any_of([abort.signal, api.after(LISTEN_MS)]));
    result.append(h("p.muted", "Stopped listening."));
  }
  function paint_answer(answer, ms) {
    const headers = [...answer.headers].map(([k, v]) => `${k}: ${v}`).join("\n");
    const notable = ["idempotent-replayed", "etag", "location", "retry-after", "ratelimit"].filter((k) => answer.headers.get(k));
    fill(result, h("p.console__status", h("strong", { class: `console__code console__code--${String(answer.status)[0]}` }, String(answer.status)), ` in ${Math.round(ms)} ms, ${answer.text.length} bytes`,
      notable.map((k) => h("span.tag", `${k}: ${answer.headers.get(k)}`))),
      h("details", h("summary", "Headers"), h("pre.console__body", { tabindex: "0" }, headers)),
      answer.text && h("pre.console__body", { tabindex: "0" }, answer.body === null ? answer.text : JSON.stringify(answer.body, null, 2)));
  }
  /** The version before the present one: what a client sends that has not seen the last change. */
  async function stale() {
    const request = form.read();
    const now = await api.get(request.path, { signal: abort.signal }).catch((error) => { note(error.message, { tone: "bad" }); return null; });
    if (!now) return;
    const version = now.body.version > 1 ? now.body.version - 1 : now.body.version + 1;
    form.fresh_key();
    form.set_body((body) => ({ title: `${now.body.title} (stale)`, ...body, version }));
    send(form.read());
  }
  async function burst() {
    const request = form.read();
    const began = performance.now();
    fill(result, h("p.muted", `Sending ${BURST} at once…`));
    const answers = await Promise.all(Array.from({ length: BURST }, () => api.send(request.path, { ...request, signal: abort.signal }).catch(() => null)));
    const tally = new Map();
    for (const a of answers) { const k = a ? String(a.status) : "none"; tally.set(k, (tally.get(k) ?? 0) + 1); }
    const refused = answers.find((a) => a?.status === 429);
    fill(result, h("p", `${BURST} calls in ${Math.round(performance.now() - began)} ms:`),
      h("ul.console__tally", [...tally].sort().map(([code, n]) => h("li", h("strong", { class: `console__code console__code--${code[0]}` }, code), ` × ${n}`))),
      refused && h("p", `The first refusal says: wait ${refused.headers.get("Retry-After")} s.`), refused && h("pre.console__body", { tabindex: "0" }, JSON.stringify(refused.body, null, 2)));
  }
  async function copy() {
    const text = as_curl(form.read(), location.origin);
    try { await navigator.clipboard.writeText(text); note("Copied. Put your token in place of $TOKEN."); } catch { fill(result, h("pre.console__body", { tabindex: "0" }, text)); }
  }

  load();
  return {
    element, title: "API console", close: () => abort.abort(),
    update: (next) => { if (spec) choose(new URLSearchParams(next.search).get("call")); panel.querySelector("input, button")?.focus(); return true; },
  };
}

/** @param {import("./call_form.js").Request} request @param {string} origin */
export function as_curl(request, origin) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = { Authorization: "Bearer $TOKEN", ...(request.body !== undefined && { "Content-Type": "application/json" }), ...request.headers };
  return [`curl -i -X ${request.method} ${quoted(origin + request.path)}`, ...Object.entries(headers).map(([k, v]) => `-H ${k === "Authorization" ? `"${k}: ${v}"` : quoted(`${k}: ${v}`)}`), ...(request.body === undefined ? [] : [`--data ${quoted(request.body)}`])].join(" \\\n  ");
}

const method_sign = (method) => h("span", { class: `method method--${method}` }, method.toUpperCase());
