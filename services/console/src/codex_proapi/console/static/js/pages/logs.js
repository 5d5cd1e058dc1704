// The live log: rows as they come, filters in the address, at most 500 rows in the page.
import { $, $$, on } from "../dom.js";
import { call, Fault } from "../api.js";
import { textOf } from "../ui/actions.js";
import { confirmed } from "../ui/dialogs.js";
import { toast } from "../ui/toasts.js";
import { whenRefreshed } from "../live.js";
import { numbers, t, tn } from "../texts.js";
import { hourOf } from "../times.js";
import { LogSource } from "../parts/log_source.js";
import { detailOf, rowOf } from "../parts/log_rows.js";

const MOST = 500, PAGE = 60, GLOWING = 5;
const log = $("#log"), form = $("#log-filter");
const known = new Map();
let waiting = [], paused = false, lostSince = 0, typing = 0, streamState = "connecting";
let searched = "", loading = 0; // the place up to which the log was looked through, and which load is the last one

const query = () => {
  const found = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) found.set(name, value.trim());
  return found;
};

const source = new LogSource({ query, say, take: (entries) => (holding() ? hold(entries) : show(entries)) });
const holding = () => paused || scrollY > 160;

function say(state) {
  const shown = paused && state !== "lost" ? "paused" : state;
  lostSince = state === "lost" ? lostSince || Date.now() : 0;
  const since = lostSince ? hourOf(lostSince) : "";
  const words = {
    connecting: t("connecting"), live: t("Live"), polling: t("Polling every 5 s"), paused: t("Paused"), lost: t("Disconnected since %(time)s", { time: since }),
  };
  const place = $("#stream-state");
  if (place.dataset.state !== shown || shown === "lost") $("[data-word]", place).textContent = words[shown];
  place.dataset.state = shown;
  streamState = state;
}

function show(entries) {
  const rows = entries.filter(({ id }) => !known.has(id)).map((stored) => {
    known.set(stored.id, stored);
    const row = rowOf(stored);
    if (entries.length <= GLOWING) row.classList.add("fresh");
    return row;
  });
  log.prepend(...rows.reverse());
  trim();
  count();
}

function trim() {
  while (log.childElementCount > MOST) {
    known.delete(log.lastElementChild.id.slice(4));
    log.lastElementChild.remove();
    $("#log-older").hidden = false;
  }
  searched = log.lastElementChild?.id.slice(4) || "";
}

function hold(entries) {
  waiting.push(...entries);
  if (waiting.length > MOST) waiting = waiting.slice(-MOST);
  const button = $("#log-new");
  button.textContent = tn("%(num)s new entry", "%(num)s new entries", waiting.length);
  button.hidden = false;
  count();
}

function release() {
  const held = waiting;
  waiting = [];
  $("#log-new").hidden = true;
  show(held);
}

function count() {
  const shown = log.childElementCount;
  const total = Math.max(Number($("#log-count").dataset.total), shown + waiting.length);
  const filtered = query().size > 0;
  const more = !$("#log-older").hidden;
  $("#log-shown").textContent = !filtered
    ? t("%(shown)s of %(total)s", { shown: numbers.format(shown), total: numbers.format(total) })
    : more && !shown ? t("searching …") : more ? t("more than %(shown)s match", { shown: numbers.format(shown) }) : tn("%(num)s matches", "%(num)s match", shown);
  const empty = $("#log-empty");
  empty.hidden = shown > 0 || more;
  $("[data-empty-title]", empty).textContent = filtered ? t("No entry matches") : t("No entry yet");
  $("[data-empty-text]", empty).textContent = filtered ? t("Change or remove the filters.") : t("Each request appears here the moment it ends.");
  $(".empty-action", empty).hidden = filtered;
  $(".log-head").hidden = shown === 0;
}

// One answer looks through a part of a long log only: where a filter lets little pass it is asked for
// the next part, until there is a screen of rows.
async function load(before = "") {
  const mine = (loading += 1), wanted = query(), upTo = log.childElementCount + PAGE;
  wanted.set("limit", String(PAGE));
  for (let from = before, first = !before; first || from; first = false) {
    if (from) wanted.set("before", from);
    const page = await call("GET", `/api/logs?${wanted}`);
    if (mine !== loading) return;
    add(page.entries);
    if (first) source.last = page.latest;
    from = searched = page.before;
    $("#log-older").hidden = !from || log.childElementCount >= MOST;
    count();
    if (log.childElementCount >= upTo) return;
  }
}

function add(entries) {
  for (const stored of entries) {
    if (known.has(stored.id)) continue;
    known.set(stored.id, stored);
    log.append(rowOf(stored));
  }
}

// What is downloaded is what the filters let through.
function nameDownloads() {
  for (const link of $$("[data-download]")) link.href = `${link.pathname}?${query()}`;
}

async function begin() {
  nameDownloads();
  source.stop();
  source.last = "";
  known.clear();
  waiting = [];
  $("#log-new").hidden = true;
  log.replaceChildren();
  try {
    await load();
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    toast(textOf(fault), { seconds: 10 });
  }
  source.start();
}

function changed() {
  const found = query();
  history.replaceState(null, "", found.size ? `/logs?${found}` : "/logs");
  const more = [...found.keys()].filter((name) => !["q", "level"].includes(name)).length;
  $("#filter-count").textContent = String(more);
  $("#filter-count").hidden = !more;
  begin();
}

async function clear() {
  const sure = await confirmed({
    title: t("Clear the log?"), about: t("All entries disappear for everyone. You can undo it for ten seconds. Usage figures stay."), button: t("Clear the log"),
  });
  if (!sure) return;
  try {
    await call("DELETE", "/api/logs");
    await begin();
    const undo = async () => {
      await call("POST", "/api/logs/undo");
      await begin();
    };
    toast(t("The log is cleared."), { label: t("Undo"), seconds: 10, act: () => undo().catch((fault) => toast(textOf(fault))) });
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    toast(textOf(fault), { seconds: 10 });
  }
}

function pause(button) {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  $("span", button).textContent = paused ? t("Resume") : t("Pause");
  $("svg", button).replaceWith($(paused ? "#icon-play" : "#icon-pause").content.firstElementChild.cloneNode(true));
  if (!paused) release();
  say(streamState);
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(changed, 250);
});
$("#log-reset").addEventListener("click", () => {
  for (const field of form.elements) if (field.name) field.value = "";
  changed();
});
$("#log-pause").addEventListener("click", (event) => pause(event.currentTarget));
$("#log-clear").addEventListener("click", clear);
$("#log-older").addEventListener("click", () => load(searched));
$("#log-new").addEventListener("click", () => {
  scrollTo({ top: 0 });
  release();
});
addEventListener("scroll", () => waiting.length && !holding() && release(), { passive: true });
addEventListener("pagehide", () => source.stop());
whenRefreshed(count);

on("click", ".log-line", (line) => {
  const row = line.parentElement;
  const open = line.getAttribute("aria-expanded") === "true";
  line.setAttribute("aria-expanded", String(!open));
  if (open) $(".log-detail", row).remove();
  else row.append(detailOf(known.get(row.id.slice(4))));
});
log.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.matches(".log-line")) return;
  const lines = $$(".log-line", log);
  lines[lines.indexOf(event.target) + step]?.focus();
  event.preventDefault();
});

await begin();
