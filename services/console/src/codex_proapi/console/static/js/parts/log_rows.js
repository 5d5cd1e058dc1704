// One entry of the log as a row, and opened: every try with its reason. Text is always text.
import { $, el } from "../dom.js";
import { copy } from "../ui/controls.js";
import { compact, faultTexts, numbers, seconds, t } from "../texts.js";
import { clock, fullTime } from "../times.js";

const names = JSON.parse($(".log-area").dataset.names);
export const nameOf = (id) => names.accounts[id] || names.keys[id] || id;
const events = names.events;
const verdicts = names.verdicts;

const lasted = (ms) => (ms ? seconds.format(ms / 1000) : "");
const routes = { chat: "/v1/chat/completions", responses: "/v1/responses", compact: "/v1/responses/compact", messages: "/v1/messages" };

export function rowOf({ id, entry }) {
  const row = $("#log-row").content.firstElementChild.cloneNode(true);
  const exchange = entry.exchange || {};
  const level = entry.level || "info";
  row.id = `log-${id}`;
  row.classList.add(entry.kind === "request" || level !== "info" ? level : "plain");
  const time = $("time", row);
  time.dateTime = new Date(entry.at * 1000).toISOString();
  time.textContent = clock(entry.at);
  time.title = fullTime(entry.at);
  $("[data-status]", row).textContent = entry.status || "–";
  $("[data-title]", row).textContent = titleOf(entry);
  $("[data-sub]", row).textContent = subOf(entry);
  $("[data-account]", row).textContent = entry.account ? nameOf(entry.account) : "";
  const tokens = exchange.tokens || {};
  const total = (tokens.input || 0) + (tokens.output || 0);
  $("[data-tokens]", row).textContent = total ? compact.format(total) : exchange.estimated ? `≈ ${compact.format(exchange.estimated)}` : "";
  $("[data-first]", row).textContent = lasted(exchange.first_byte_ms);
  $("[data-total]", row).textContent = lasted(exchange.total_ms);
  return row;
}

function titleOf(entry) {
  if (entry.exchange) return entry.exchange.asked_model || entry.exchange.sent_model || routes[entry.exchange.endpoint] || entry.event;
  return events[entry.event] || entry.event;
}

function subOf(entry) {
  const parts = [];
  if (entry.exchange) parts.push(routes[entry.exchange.endpoint] || entry.exchange.endpoint);
  if (entry.code) parts.push(faultTexts(entry.code).what || entry.code);
  const tries = entry.exchange?.attempts?.length || 0;
  if (tries > 1) parts.push(t("%(num)s tries", { num: tries }));
  if (entry.exchange?.key_name) parts.push(entry.exchange.key_name);
  if (!entry.exchange) parts.push(...Object.entries(entry.detail || {}).map(([name, value]) => `${name}=${value}`));
  return parts.join(" · ");
}

const line = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
const code = (text) => el("code", {}, String(text));

export function detailOf(stored) {
  const { entry } = stored;
  const detail = $("#log-detail").content.firstElementChild.cloneNode(true);
  $("[data-facts]", detail).append(...factsOf(entry));
  const attempts = entry.exchange?.attempts || [];
  $("[data-tries-box]", detail).hidden = !attempts.length;
  $("[data-tries]", detail).append(...attempts.map(tryOf));
  $("[data-copy-json]", detail).addEventListener("click", (event) => copy(JSON.stringify(stored, null, 2), event.currentTarget));
  const only = $("[data-only]", detail);
  if (entry.request_id) only.href = `/logs?request_id=${encodeURIComponent(entry.request_id)}`;
  else only.remove();
  return detail;
}

function factsOf(entry) {
  const exchange = entry.exchange || {};
  const tokens = exchange.tokens || {};
  const { what, cure } = faultTexts(entry.code || "");
  const rows = [
    [t("Time"), fullTime(entry.at)],
    [t("Event"), events[entry.event] || entry.event],
    [t("Ending"), exchange.ending && `${names.endings[exchange.ending] || exchange.ending}`],
    [t("Error"), entry.code && el("span", {}, [what, cure].filter(Boolean).join(" "), " ", code(entry.code))],
    [t("Request id"), entry.request_id && code(entry.request_id)],
    [t("OpenAI's request id"), exchange.upstream_request_id && code(exchange.upstream_request_id)],
    [t("Model asked"), exchange.asked_model && code(exchange.asked_model)],
    [t("Model sent"), exchange.sent_model && code(exchange.sent_model)],
    [t("Model that answered"), exchange.answered_model && code(exchange.answered_model)],
    [t("Key"), (exchange.key_name || entry.key_id) && `${exchange.key_name || nameOf(entry.key_id)}`],
    [t("Account"), entry.account && el("a", { href: `/accounts/${encodeURIComponent(entry.account)}` }, nameOf(entry.account))],
    [t("Tokens"), tokens.input || tokens.output ? tokensOf(tokens) : estimatedOf(exchange.estimated)],
    [t("First word"), lasted(exchange.first_byte_ms)],
    [t("Whole"), lasted(exchange.total_ms)],
    [t("Left out"), (exchange.dropped || []).join(", ")],
    ...Object.entries(entry.detail || {}).map(([name, value]) => [name, String(value)]),
  ];
  return rows.filter(([, value]) => value).map(([name, value]) => line(name, value));
}

function tokensOf(tokens) {
  const figure = (name) => numbers.format(tokens[name] || 0);
  return t("%(input)s in (%(cached)s cached), %(output)s out (%(reasoning)s reasoning)", {
    input: figure("input"), cached: figure("cached"), output: figure("output"), reasoning: figure("reasoning"),
  });
}

const estimatedOf = (count) =>
  count ? t("about %(count)s, estimated: the answer ended before OpenAI told", { count: numbers.format(count) }) : "";

function tryOf(attempt) {
  const { what } = faultTexts(attempt.code || "");
  const outcome = [
    attempt.status || "", verdicts[attempt.verdict] || attempt.verdict, attempt.milliseconds ? `${numbers.format(attempt.milliseconds)} ms` : "",
  ];
  return el(
    "li",
    {},
    el("span", { class: "strong" }, nameOf(attempt.account)),
    el("span", {}, outcome.filter(Boolean).join(" · ")),
    attempt.code ? el("span", {}, what ? `${what} ` : "", code(attempt.code)) : null,
    attempt.choice ? el("span", { class: "muted" }, names.choices[attempt.choice] || attempt.choice) : null,
    attempt.why ? el("span", { class: "muted wrap", lang: "en" }, named(attempt.why)) : null,
  );
}

// The gateway's own sentence, in English as in its log, with the names of accounts for their ids.
const named = (sentence) => sentence.replace(/\bacc_\w+/g, (id) => names.accounts[id] || id);
