// Charts as SVG that needs no measuring (shares of the width, not pixels), each with a table behind it.
import { h, svg } from "./dom.js";

const ROW = 26;
const LABEL = 34; // per cent of the width
const HEIGHT = 168;

/**
 * A figure: title, drawing, table.
 * @param {any} title @param {string} said what the drawing shows, in a sentence @param {any} drawing
 * @param {string[]} columns @param {any[][]} rows @param {string} [extra] class
 */
export function figure(title, said, drawing, columns, rows, extra = "") {
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", said);
  return h("figure", { class: `figure ${extra}` }, h("figcaption.figure__title", title), drawing,
    h("details.figure__data", h("summary", "As a table"), h("div.scroll", { tabindex: "0", role: "group", "aria-label": "Table" }, h("table.table", h("thead", h("tr", columns.map((c) => h("th", { scope: "col" }, c)))),
      h("tbody", rows.map(([head, ...rest]) => h("tr", h("th", { scope: "row" }, head), rest.map((v) => h("td", String(v))))))))));
}

/**
 * Lying bars; `part` of each is drawn in the alarm colour.
 * @param {{label: string, count: number, part?: number}[]} items
 */
export function lying_bars(items) {
  const most = Math.max(1, ...items.map((i) => i.count));
  const room = 100 - LABEL - 10;
  return svg("svg", { class: "chart", width: "100%", height: items.length * ROW }, items.map(({ label, count, part = 0 }, row) => {
    const y = row * ROW;
    const wide = (n) => `${(n / most) * room}%`;
    return [text(`${LABEL - 2}%`, y + 17, label, "end"),
      svg("rect", { class: "chart__bar", x: `${LABEL}%`, y: y + 6, width: wide(count), height: ROW - 12, rx: 2 }),
      part > 0 && svg("rect", { class: "chart__bar chart__bar--late", x: `${LABEL}%`, y: y + 6, width: wide(part), height: ROW - 12, rx: 2 }),
      text(`${LABEL + (count / most) * room + 1.5}%`, y + 17, String(count), "start", "chart__number")];
  }));
}

/**
 * Two standing bars for each day.
 * @param {{date: string, created: number, resolved: number}[]} days @param {(date: string) => string} day_said
 */
export function standing_bars(days, day_said) {
  // Even, so that the line in the middle stands at a whole number.
  const most = 2 * Math.max(1, Math.ceil(Math.max(...days.flatMap((d) => [d.created, d.resolved])) / 2));
  const step = 96 / days.length;
  const base = HEIGHT - 22;
  const tall = (n) => (n / most) * (base - 12);
  const every = Math.ceil(days.length / 6);
  const bar = (value, x, name, d) => svg("rect", { class: `chart__bar chart__bar--${name}`, x: `${x}%`, width: `${step * 0.36}%`, y: base - tall(value), height: Math.max(tall(value), value ? 2 : 0), rx: 1 }, svg("title", `${day_said(d.date)}: ${value} ${name}`));
  return svg("svg", { class: "chart", width: "100%", height: HEIGHT },
    [0.5, 1].map((share) => [svg("line", { class: "chart__grid", x1: "4%", x2: "100%", y1: base - tall(most * share), y2: base - tall(most * share) }), text("3%", base - tall(most * share) + 4, String(most * share), "end")]),
    svg("line", { class: "chart__axis", x1: "4%", x2: "100%", y1: base, y2: base }),
    days.map((d, i) => {
      const x = 4 + i * step;
      return [bar(d.created, x + step * 0.1, "created", d), bar(d.resolved, x + step * 0.5, "resolved", d), i % every === 0 && text(`${x + step * 0.1}%`, HEIGHT - 5, day_said(d.date), "start")];
    }));
}

function text(x, y, words, anchor, name = "chart__label") {
  return svg("text", { class: name, x, y, "text-anchor": anchor }, words);
}
