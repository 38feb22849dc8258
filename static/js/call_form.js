// A form for one call of the API, made from its description: parameters, headers, and a body that can be
// filled in field by field or edited as JSON. It gives the request; sending is for others.
import { new_key } from "./api.js";
import { fill, h, uid } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {{method: string, path: string, operation: any}} Call */
/** @typedef {{method: string, path: string, headers: Record<string, string>, body: string|undefined}} Request */

/** @param {any} spec @param {any} schema one without `$ref` and without "or null" */
export function resolved(spec, schema) {
  if (schema?.$ref) return resolved(spec, schema.$ref.slice(2).split("/").reduce((at, key) => at[key], spec));
  const options = (schema?.anyOf ?? []).filter((s) => s.type !== "null");
  return options.length === 1 ? { ...resolved(spec, options[0]), description: options[0].description ?? schema.description } : schema ?? {};
}

/**
 * @param {any} spec @param {Call} call @param {{kept: Record<string, string>}} memory values to begin with, kept from call to call
 * @returns {{element: HTMLElement, read: () => Request, set_body: (change: (body: any) => any) => void, fresh_key: () => void, has_body: boolean}}
 */
export function call_form(spec, call, memory) {
  const inputs = (call.operation.parameters ?? []).map((p) => ({ p, input: value_input(spec, p.schema, { value: memory.kept[p.name] ?? "", required: p.in === "path" }) }));
  const key = inputs.find((i) => i.p.name === "Idempotency-Key")?.input;
  const schema = resolved(spec, call.operation.requestBody?.content?.["application/json"]?.schema);
  const has_body = Boolean(call.operation.requestBody);
  const json = h("textarea.input.call__json", { rows: 8, spellcheck: "false", "aria-label": "Body, as JSON", value: has_body ? "{}" : "", oninput: from_json });
  const broken = h("p.form-error", { role: "status" });
  const fields = Object.entries(schema.properties ?? {}).map(([name, s]) => {
    const input = value_input(spec, s, { oninput: () => { json.value = JSON.stringify(from_fields(), null, 2); fill(broken); } });
    return { name, input, kind: resolved(spec, s), is_required: schema.required?.includes(name) };
  });

  function from_fields() {
    const before = parsed(json.value) ?? {};
    for (const { name, input, kind } of fields) {
      if (input.value === "") delete before[name];
      else before[name] = typed(input.value, kind);
    }
    return before;
  }
  function from_json() {
    const body = parsed(json.value);
    fill(broken, body === null && "This is not a JSON object; it is sent as it stands.");
    if (body) for (const { name, input } of fields) if (name in body) input.value = typeof body[name] === "object" && body[name] !== null ? [].concat(body[name]).join(", ") : String(body[name]);
  }
  function fresh_key() { if (key) key.value = new_key(); }
  fresh_key();

  const labelled = (name, input, hint, required) => { input.id = uid("call"); return h("div.call__field", h("label", { for: input.id }, name, required && h("span.call__required", " required")), input, hint && h("p.field__hint", hint)); };
  const group = (title, where) => {
    const some = inputs.filter((i) => i.p.in === where && i.p.name !== "X-Request-Id");
    return some.length > 0 && h("fieldset.call__group", h("legend", title), some.map(({ p, input }) => [labelled(p.name, input, p.description, p.in === "path"),
      input === key && h("button.link-button", { onclick: fresh_key }, icon("refresh", "small"), " New key")]));
  };
  const element = h("div.call__form", group("In the path", "path"), group("Query", "query"), group("Headers", "header"),
    has_body && h("fieldset.call__group", h("legend", "Body"), fields.map((f) => labelled(f.name, f.input, f.kind.description, f.is_required)), json, broken));

  /** @returns {Request} */
  function read() {
    let path = call.path;
    const query = new URLSearchParams();
    /** @type {Record<string, string>} */
    const headers = {};
    for (const { p, input } of inputs) {
      if (p.in === "path") { memory.kept[p.name] = input.value; path = path.replace(`{${p.name}}`, encodeURIComponent(input.value)); }
      else if (input.value !== "" && p.in === "query") query.append(p.name, input.value);
      else if (input.value !== "" && p.in === "header") headers[p.name] = input.value;
    }
    const search = String(query);
    return { method: call.method.toUpperCase(), path: search ? `${path}?${search}` : path, headers, body: has_body ? json.value : undefined };
  }
  return { element, read, fresh_key, has_body, set_body: (change) => { json.value = JSON.stringify(change(parsed(json.value) ?? {}), null, 2); from_json(); } };
}

/** @param {any} spec @param {any} schema @param {Record<string, any>} props */
function value_input(spec, schema, props) {
  const kind = resolved(spec, schema);
  const choices = kind.enum ?? (kind.type === "boolean" ? ["true", "false"] : null);
  if (choices) return h("select.input.input--select", props, h("option", { value: "" }, "–"), choices.map((c) => h("option", { value: c, selected: c === props.value }, c)));
  return h("input.input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: kind.default ?? (kind.type === "array" ? "one, two" : ""), ...props });
}

/** Typed text as the schema wants it; what does not fit is sent as text, for the server to refuse. @param {string} text @param {any} kind */
function typed(text, kind) {
  if (text === "null") return null;
  if ((kind.type === "integer" || kind.type === "number") && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (kind.type === "boolean") return text === "true";
  return kind.type === "array" ? text.split(",").map((t) => t.trim()).filter(Boolean) : text;
}

/** @param {string} text @returns {any} null where it is not an object */
function parsed(text) {
  try { const value = JSON.parse(text); return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null; } catch { return null; }
}
