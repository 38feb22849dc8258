// Tags, as the server takes them: the twin of helpdesk/domain/tags.py. Pure.
import { length_of } from "./lengths.js";

const TAG_MAX = 40;
// Marks count as part of their letter: Indic vowels, and what lower-casing İ leaves.
const TAG = /^[\p{L}\p{M}\p{Nd}_-]+$/u;
const INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\u{16fe4}]*$/u;

/** A typed text as the tag that it may become: words are joined with hyphens. @param {string} text */
export const normal_tag = (text) => text.trim().toLowerCase().replace(/\s+/g, "-").normalize("NFC");

/** Whether the server takes a tag. @param {string} tag from `normal_tag` */
export const is_tag = (tag) => TAG.test(tag) && length_of(tag) <= TAG_MAX && !INVISIBLE.test(tag);

/** The tags in a line: between them stand commas of any script, or blanks. @param {string} line */
export const tags_in = (line) => line.split(/[\s,;\u060c\u061b\u3001\uff0c\uff1b\uff64]+/).filter(Boolean);
