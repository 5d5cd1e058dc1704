// One line of a test: done or failed, how long it took, and why.
import { el, icon } from "../dom.js";
import { duration, faultTexts, sentences, t } from "../texts.js";

export function showStep(list, { title, ok, milliseconds, code = "", message = "", note = "" }) {
  const { what, cure } = faultTexts(code);
  const why = ok ? note : sentences(what || message, cure, code && `(${[code, note].filter(Boolean).join(": ")})`);
  const said = ok ? t("passed") : t("failed");
  const line = el(
    "li",
    { class: ok ? "good" : "failed" },
    icon(ok ? "check" : "x"),
    el("span", {}, title, el("span", { class: "unseen" }, ` – ${said}`)),
    el("span", { class: "muted" }, milliseconds === undefined || milliseconds === null ? "" : duration(milliseconds)),
    why ? el("small", {}, why) : null,
  );
  list.append(line);
  return line;
}
