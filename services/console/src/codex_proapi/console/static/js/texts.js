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

// What happened and what to do about it, by error code; empty when a code is not known.
export function faultTexts(code) {
  const [what = "", cure = ""] = faults[code] || [];
  return { what, cure };
}

export const seconds = new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "narrow", maximumFractionDigits: 2 });
export const numbers = new Intl.NumberFormat(language);
export const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
