// One entry of the log as a row, and opened: every try with its reason. Text is always text.
import { $, el } from "../dom.js";
import { copy } from "../ui/controls.js";
import { compact, duration, faultTexts, lead, numbers, sentences, t } from "../texts.js";
import { dateOf, exactTime, logTime } from "../times.js";

const names = JSON.parse($(".log-area").dataset.names);
export const nameOf = (id) => names.accounts[id] || names.keys[id] || id;
const events = names.events;
const verdicts = names.verdicts;

const lasted = (ms) => (ms ? duration(ms) : "");
const routes = { chat: "/v1/chat/completions", responses: "/v1/responses", compact: "/v1/responses/compact", messages: "/v1/messages",
  completions: "/v1/completions", images: "/v1/images/generations", image_edits: "/v1/images/edits", search: "/v1/alpha/search" };

export function rowOf({ id, entry }) {
  const row = $("#log-row").content.firstElementChild.cloneNode(true);
  const exchange = entry.exchange || {};
  const level = entry.level || "info";
  row.id = `log-${id}`;
  row.classList.add(entry.kind === "request" || level !== "info" ? level : "plain");
  const time = $("time", row);
  time.dateTime = new Date(entry.at * 1000).toISOString();
  time.textContent = logTime(entry.at);
  time.title = exactTime(entry.at);
  $("[data-status]", row).textContent = entry.status || "–";
  $("[data-title]", row).textContent = titleOf(entry);
  $("[data-sub]", row).textContent = subOf(entry);
  if (exchange.substituted) {
    $("[data-substituted]", row).hidden = false;
    $("[data-substituted]", row).title = t("%(answered)s answered in place of %(sent)s.", { answered: exchange.answered_model, sent: exchange.sent_model });
  }
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
  const route = entry.exchange && (routes[entry.exchange.endpoint] || entry.exchange.endpoint);
  if (route && route !== titleOf(entry)) parts.push(route);
  if (entry.code) parts.push(faultTexts(phraseOf(entry)).what || entry.code);
  const tries = entry.exchange?.attempts?.length || 0;
  if (tries > 1) parts.push(t("%(num)s tries", { num: tries }));
  if (entry.exchange?.key_name) parts.push(entry.exchange.key_name);
  if (!entry.exchange) parts.push(...detailsOf(entry).map(([name, value]) => t("%(name)s: %(value)s", { name, value })));
  return parts.join(" · ");
}

// The gateway shares these codes with OpenAI; `phrase_of` in views/figures.py says what they mean.
const POOL = ["rate_limit_exceeded", "usage_limit_reached", "insufficient_quota"];
function phraseOf({ code = "", exchange }) {
  if (!exchange || !POOL.includes(code)) return code;
  if (exchange.limited) return "key_limited";
  return exchange.attempts?.some((each) => each.verdict === "give_up") ? code : "pool_spent";
}

function detailsOf(entry) {
  return Object.entries(entry.detail || {})
    .filter(([, value]) => value !== "")
    .map(([name, value]) => {
      const [field, before] = name.endsWith(" before") ? [name.slice(0, -7), true] : [name, false];
      const label = names.fields[field] || field;
      return [before ? t("%(name)s before", { name: label }) : label, detailValue(field, value)];
    });
}

function detailValue(field, value) {
  if (field === "actor") return names.actors[value] || String(value).replace(/^token:/, `${t("Admin token")} `).replace(/^owner:/, `${t("Owner")} `);
  if (field === "reason") return names.refusedKeys[value] || value;
  if (field === "expires_at") return value ? dateOf(value) : t("never");
  if (field === "overlap_seconds") return value ? duration(value * 1000) : "–";
  if (typeof value === "boolean") return value ? t("yes") : t("no");
  return String(value);
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
  const { what, cure } = faultTexts(phraseOf(entry));
  const rows = [
    [t("Time"), exactTime(entry.at)],
    [t("Event"), events[entry.event] || entry.event],
    [t("Ending"), exchange.ending && `${names.endings[exchange.ending] || exchange.ending}`],
    [t("Error"), entry.code && el("span", {}, what && lead(sentences(what, cure)), code(entry.code))],
    [t("Request id"), entry.request_id && code(entry.request_id)],
    [t("OpenAI's request id"), exchange.upstream_request_id && code(exchange.upstream_request_id)],
    [t("Model asked"), exchange.asked_model && code(exchange.asked_model)],
    [t("Model sent"), exchange.sent_model && el("span", {}, code(exchange.sent_model), exchange.fallback ? t(" (fallback)") : "")],
    [t("Small work"), workOf(exchange)],
    [t("Model that answered"), exchange.answered_model && code(exchange.answered_model)],
    [t("Key"), (exchange.key_name || entry.key_id) && `${exchange.key_name || nameOf(entry.key_id)}`],
    [t("Account"), entry.account && el("a", { href: `/accounts/${encodeURIComponent(entry.account)}` }, nameOf(entry.account))],
    [t("Tokens"), tokens.input || tokens.output ? tokensOf(tokens) : estimatedOf(exchange.estimated)],
    [t("First word"), lasted(exchange.first_byte_ms)],
    [t("Total"), lasted(exchange.total_ms)],
    [t("Way to OpenAI"), wayOf(exchange)],
    [t("Left out"), (exchange.dropped || []).join(", ")],
    ...detailsOf(entry),
  ];
  return rows.filter(([, value]) => value).map(([name, value]) => line(name, value));
}

function tokensOf(tokens) {
  const figure = (name) => numbers.format(tokens[name] || 0);
  return t("%(input)s in (%(cached)s cached), %(output)s out (%(reasoning)s reasoning)", {
    input: figure("input"), cached: figure("cached"), output: figure("output"), reasoning: figure("reasoning"),
  });
}

const workOutcomes = {
  off: t("no model is set for it"), moved: t("went to its model"), same: t("asked for a small model already"),
  unknown_model: t("stayed: its model is unknown"), not_allowed: t("stayed: the key may not use its model"),
  images: t("stayed: its model takes no images"), context: t("stayed: too long for its model"), refused: t("stayed: its model could not serve it"),
};

const workOf = ({ small_work: work, small_work_outcome: outcome }) =>
  work && el("span", {}, code(work), ` · ${workOutcomes[outcome] || outcome}`);

const wayOf = ({ transport, transport_why: why }) => {
  const name = { http: "HTTP", websocket: "WebSocket" }[transport] || transport;
  return name && (why ? el("span", {}, `${name} · `, code(why)) : name);
};

const estimatedOf = (count) =>
  count ? t("about %(count)s, estimated: the answer ended before OpenAI told", { count: numbers.format(count) }) : "";

function tryOf(attempt) {
  const { what } = faultTexts(attempt.code || "");
  const outcome = [
    attempt.status || "", verdicts[attempt.verdict] || attempt.verdict, lasted(attempt.milliseconds),
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
