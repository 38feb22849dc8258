// Line icons on a 16 px grid, drawn for this desk.
import { svg } from "./dom.js";

/** @type {Record<string, string>} */
const PATHS = {
  inbox: "M2 9.5 4 3h8l2 6.5V13H2zM2 9.5h3.5l1 2h3l1-2H14",
  plus: "M8 3v10M3 8h10",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9M10.5 10.5 14 14",
  chart: "M2.5 13.5h11M4 11V8M8 11V3.5M12 11V6",
  people: "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M1.5 13.5c.4-2.6 2-4 4.5-4s4.1 1.4 4.5 4M10.5 2.8a2.5 2.5 0 0 1 0 4.5M12 9.8c1.4.5 2.2 1.7 2.5 3.7",
  terminal: "M2 3h12v10H2zM4.5 6l2 2-2 2M8.5 10.5h3",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  user: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2.5 14c.5-3 2.5-4.5 5.5-4.5s5 1.5 5.5 4.5",
  out: "M6 2.5H3v11h3M7 8h7M11 5l3 3-3 3",
  menu: "M2 4h12M2 8h12M2 12h12",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  reply: "M6.5 3.5 2.5 7.5l4 4M2.5 7.5h7c2.5 0 4 1.5 4 5",
  quote: "M3 4.5h3.5V9c0 1.5-1 2.5-2.5 3M9.5 4.5H13V9c0 1.5-1 2.5-2.5 3",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7",
  lock: "M4 7h8v6.5H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  edit: "M3 13l.5-3L11 2.5 13.5 5 6 12.5z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  chevron: "M6 3.5 10.5 8 6 12.5",
  key: "M5.5 10.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M8.5 7.5h6v2.5M12 7.5v2",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  alert: "M8 2 14.5 13.5h-13zM8 6.5v3.5M8 11.8h.01",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 4.5V8l2.5 1.5",
  tag: "M2.5 2.5H8l6 6-5.5 5.5-6-6zM5.5 5.5h.01",
  contrast: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 2v12M8 5l4 2M8 8.5l5 1M8 12l3.5-.5",
  keyboard: "M1.5 4h13v8h-13zM4 6.8h.01M6.7 6.8h.01M9.3 6.8h.01M12 6.8h.01M5 9.5h6",
  copy: "M5.5 5.5h8v8h-8zM5.5 10.5h-3v-8h8v3",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5L13 6M13 2.5V6H9.5",
};

/** @param {string} name @param {string} [size] css class suffix */
export function icon(name, size = "") {
  return svg("svg", { viewBox: "0 0 16 16", class: `icon${size ? ` icon--${size}` : ""}`, "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": "1.5", "stroke-linecap": "round", "stroke-linejoin": "round" }));
}
