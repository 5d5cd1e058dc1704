// What the scripts say, in the page's language. Messages are marked t("…") and tn("…", "…", n);
// the server sends their translations, and the sentences of error codes, as a module.
const build = import.meta.url.split("/").at(-3);
export const language = document.documentElement.lang;
const { messages, faults } = await import(`/texts/${language}.js?${build}`);

const filled = (text, values) =>
  text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));

export function t(message, values = {}) {
  return filled(messages[message] || message, values);
}

export function tn(one, many, n, values = {}) {
  const translated = messages[one];
  const text = Array.isArray(translated) && translated[0] ? translated.at(-1) : n === 1 ? one : many;
  return filled(text, { num: numbers.format(n), ...values });
}

// A text that something follows: with a space, which full-width punctuation has in itself.
export const lead = (text) => (/[。：；，！？]$/.test(text) ? text : `${text} `);
export const sentences = (...parts) => parts.filter(Boolean).reduce((told, next) => lead(told) + next);

// What happened and what to do about it, by error code; empty when a code is not known.
export function faultTexts(code) {
  const [what = "", cure = ""] = faults[code] || [];
  return { what, cure };
}

const measured = (unit, digits) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits });
const spans = { millisecond: measured("millisecond", 0), precise: measured("second", 1), second: measured("second", 0), minute: measured("minute", 1) };

// Chinese sets a space between a number and its unit: 2 小时.
export const spaced = (text) => text.replace(/(\d)(?=[\u4e00-\u9fff])/g, "$1 ");

// A span of milliseconds in the unit that fits it: 340 ms, 1.2 sec, 42 sec, 3.5 min.
export function duration(milliseconds) {
  if (Math.round(milliseconds) < 1000) return spaced(spans.millisecond.format(Math.round(milliseconds)));
  if (milliseconds < 10_000) return spaced(spans.precise.format(milliseconds / 1000));
  return spaced(milliseconds < 100_000 ? spans.second.format(milliseconds / 1000) : spans.minute.format(milliseconds / 60_000));
}
export const numbers = new Intl.NumberFormat(language);
export const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
