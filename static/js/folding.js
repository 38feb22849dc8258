// Text without case, diacritics and invisible characters, as words are compared: the twin of helpdesk/folding.py. Pure.

const DIACRITIC = /[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711\u0730-\u074a\u07eb-\u07f3\u07fd\u0816-\u082d\u0859-\u085b\u0898-\u08ff\u0951-\u0954\u135d-\u135f\u1ab0-\u1aff\u1cd0-\u1cff\u1dc0-\u1dff\u20d0-\u20ff\u2cef-\u2cf1\u2de0-\u2dff\u302a-\u302f\ua66f-\ua67d\ua69e\ua69f\ua6f0\ua6f1\ua8e0-\ua8f1\ufb1e\ufe20-\ufe2f]/u;
const IGNORED = /[\p{Cf}\p{DI}\u0640]/u;
/** Letters with strokes, hooks and tails, and ligatures, which Unicode does not take apart. */
const LETTERS = {
  a: "ⱥᶏ", b: "ƀƃɓᵬᶀ", c: "ƈȼɕꞓꞔ", d: "đƌȡɖɗᵭᶁᶑð", e: "ɇᶒⱸ", f: "ƒᵮᶂ", g: "ǥɠᶃꞡ", h: "ħɦⱨꞕ", i: "ɨᶖı", j: "ɉʝȷ", k: "ƙᶄⱪꝁꝃꝅꞣ", l: "łƚȴɫɬɭᶅⱡꝉꞎ", m: "ɱᵯᶆ", n: "ƞȵɲɳᵰᶇꞑꞥ", o: "øⱺꝋꝍ", p: "ƥᵱᵽᶈꝑꝓꝕ", q: "ɋʠꝗꝙ", r: "ɍɼɽɾᵲᵳᶉꞧ", s: "ȿʂᵴᶊꞩ", t: "ŧƫƭȶʈᵵⱦ", u: "ᶙꞹ", v: "ʋᶌⱱⱴꝟ", w: "ⱳ", x: "ᶍ", y: "ƴɏỿ", z: "ƶȥɀʐʑᵶᶎⱬ", ae: "æ", oe: "œ", th: "þ", aa: "ꜳ", ao: "ꜵ", au: "ꜷ", av: "ꜹꜻ", ay: "ꜽ", oo: "ꝏ", tz: "ꜩ", vy: "ꝡ",
};
const PLAIN = new Map(Object.entries(LETTERS).flatMap(([plain, letters]) => [...letters].map((letter) => [letter, plain])));
const HYPHENS = "-\u058a\u05be\u2010\u2011";
const SYMBOL = /(?![\0-\x7f\u2044])[\p{S}\p{Co}\u{1f000}-\u{1faff}]/u;
/** @type {Record<string, string>} Voicing marks that stand alone count as those that combine. */
const VOICING = { "\u309b": "\u3099", "\u309c": "\u309a" };
// A character and what may compose with it: marks, jamo, halfwidth and standalone voicing marks, and what is ignored.
const CLUSTERS = /[^][\p{M}\p{Cf}\p{DI}\u0640\u1161-\u11ff\u309b\u309c\u3131-\u318e\uff9e\uff9f\uffa1-\uffdc]*/gu;
const MARKS_MAX = 30; // in a row; more are cut, since normalize() sorts them slowly

/**
 * Cut text into clusters: a letter with its marks, folded. A hyphen is "-", a symbol has blanks around it, whatever
 * else separates is a blank.
 * @param {string} text
 * @returns {{folded: string, start: number, end: number}[]}
 */
export function clusters(text) {
  const out = [];
  for (const match of text.matchAll(CLUSTERS)) {
    out.push({ folded: fold_cluster(match[0]), start: match.index, end: match.index + match[0].length });
  }
  return out;
}

/** A text for narrowing a list by what is typed: folded, its words with one blank between. @param {string} text */
export function folded(text) {
  return clusters(text).map((cluster) => cluster.folded).join("").replace(/[ -]+/g, " ").trim();
}

/** @param {string} cluster */
function fold_cluster(cluster) {
  if (/^[a-zA-Z0-9 ]$/.test(cluster)) return cluster.toLowerCase();
  let folded = "";
  let run = 0;
  for (const char of cluster) {
    for (const part of (VOICING[char] ?? char).normalize("NFKD")) {
      const plain = fold_char(part);
      run = /^\p{M}$/u.test(plain) ? run + 1 : plain ? 0 : run;
      if (run <= MARKS_MAX) folded += plain;
    }
  }
  return folded.normalize("NFC");
}

/** @param {string} char */
function fold_char(char) {
  if (IGNORED.test(char)) return "";
  if (/\p{M}/u.test(char)) return DIACRITIC.test(char) ? "" : char;
  if (/[\p{L}\p{N}]/u.test(char)) {
    const lower = char.toLowerCase().toUpperCase().toLowerCase();
    return [...lower].map((c) => PLAIN.get(c) ?? c).join("");
  }
  if (HYPHENS.includes(char)) return "-";
  return SYMBOL.test(char) ? ` ${char} ` : " ";
}
