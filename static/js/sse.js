// Reads a text/event-stream (HTML Standard, "Interpreting an event stream"). Pure: text in, events out.

/** @typedef {{id: string, event: string, data: string}} ServerEvent */

/**
 * A parser: `feed` takes a chunk of text and returns the events that it completes. The id is kept from
 * event to event, as the standard says; `last_id` also knows one that came without data.
 * @returns {{feed: (chunk: string) => ServerEvent[], last_id: () => string}}
 */
export function sse_parser() {
  let rest = "";
  let id = "";
  let event = "";
  /** @type {string[]} */
  let data = [];

  /** @param {string} line @param {ServerEvent[]} out */
  function take(line, out) {
    if (line === "") {
      if (data.length) out.push({ id, event: event || "message", data: data.join("\n") });
      event = "";
      data = [];
      return;
    }
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }

  function feed(chunk) {
    /** @type {ServerEvent[]} */
    const out = [];
    rest += chunk;
    // A CR at the very end may be half of a CRLF: it waits for the next chunk.
    let match;
    while ((match = /\r\n|\n|\r(?!$)/.exec(rest))) {
      take(rest.slice(0, match.index), out);
      rest = rest.slice(match.index + match[0].length);
    }
    return out;
  }

  return { feed, last_id: () => id };
}
