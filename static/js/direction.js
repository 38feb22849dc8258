// Text that is written from right to left, inside text that is not. Pure.

const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * A name or title for a place that holds text only, such as `document.title` or an option: it does not
 * turn round what stands beside it. Where nodes can stand, `<bdi>` does the same.
 * @param {string} text
 */
export const isolated = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text.replace(CONTROLS, "")}\u2069` : text);
