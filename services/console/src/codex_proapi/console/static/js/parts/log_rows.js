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
  if (entry.exchange) parts.push(routes[entry.exchange.endpoint] || entry.exchange.endpoint);
  if (entry.code) parts.push(faultTexts(phraseOf(entry)).what || entry.code);
  const tries = entry.exchange?.attempts?.length || 0;
  if (tries > 1) parts.push(t("%(num)s tries", { num: tries }));
  if (entry.exchange?.key_name) parts.push(entry.exchange.key_name);
  if (!entry.exchange) parts.push(...detailsOf(entry).map(([name, value]) => t("%(name)s: %(value)s", { name, value })));
  return parts.join(" · ");
}

// The gateway shares these codes with OpenAI; where no account was asked, none was free.
const POOL = ["rate_limit_exceeded", "usage_limit_reached", "insufficient_quota"];
const phraseOf = (entry) =>
  entry.exchange && !entry.exchange.attempts?.length && POOL.includes(entry.code) ? "pool_spent" : entry.code || "";

// Words for what a deed of the administrator has beside its name; what they do not know stays as it is.
const labels = {
  actor: t("By"), ip: t("From"), name: t("Name"), owner: t("Owner"), expires_at: t("Expires"), prefix: t("Begins with"), id: t("Id"),
  plan: t("Plan"), source: t("Added by"), weight: t("Share"), paused: t("Paused"), passed: t("Passed"), answer: t("With an answer"),
  tries: t("Tries"), sessions: t("Sessions"), session: t("Session"), overlap_seconds: t("Old secret stays valid for"), limits: t("Limits"),
  allowed_models: t("Models"), allowed_accounts: t("Accounts"), default_model: t("Default model"), default_effort: t("Default effort"), reasoning_summary: t("Reasoning summary"),
  answered_model: t("Model that answered"), max_effort: t("Highest effort"), fast_tier: t("Fast tier"), model_fallbacks: t("Model fallbacks"), small_work_models: t("Models for small work"),
  login_revoked: t("Login revoked"), routing: t("Which account is asked"), quota_reserve: t("Reserve"), account_streams: t("Concurrent requests per account"),
  api_key_policy: t("API keys"), history_mode: t("How the history is sent"), model_aliases: t("Model aliases"), usage_days: t("Days of usage"), usage_months: t("Months of usage"), log_entries: t("Entries of the log"), time_zone: t("Time zone"), model_substitution: t("When another model answers"),
  disabled_models: t("Models not offered"), quota_poll_seconds: t("Seconds between quota checks"), fair_share_below: t("Fair sharing below"),
};
const actors = { admin: t("administrator"), local: t("this machine"), cli: t("command line"), nobody: t("not signed in") };

function detailsOf(entry) {
  return Object.entries(entry.detail || {})
    .filter(([, value]) => value !== "")
    .map(([name, value]) => {
      const [field, before] = name.endsWith(" before") ? [name.slice(0, -7), true] : [name, false];
      const label = labels[field] || field;
      return [before ? t("%(name)s before", { name: label }) : label, detailValue(field, value)];
    });
}

function detailValue(field, value) {
  if (field === "actor") return actors[value] || String(value).replace(/^token:/, `${t("Admin token")} `);
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
