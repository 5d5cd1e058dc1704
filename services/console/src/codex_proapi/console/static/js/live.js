// Keeps the page's live regions fresh: told by server-sent events what has changed, or asking every
// five seconds while there is no stream. The state stands in the sidebar.
import { $, $$ } from "./dom.js";
import { morph } from "./morph.js";
import { hourOf, showTimes } from "./times.js";
import { t } from "./texts.js";
import { signedOut } from "./session.js";
import { whileVisible } from "./page_visibility.js";

const POLL = 5000, ASK = 30_000, QUIET = 2000, SOON = 150;
let timer = 0, lastRun = 0, running = false, again = false, polling = 0, lostSince = 0, source = null;
let seen = $('meta[name="live"]')?.content || ""; // digests of what this page shows; the server leaves that out
const after = [];

export const whenRefreshed = (act) => after.push(act);

export function refresh() {
  clearTimeout(timer);
  const wait = Math.max(SOON, lastRun + QUIET - performance.now());
  timer = setTimeout(run, wait);
}

export async function refreshNow() {
  clearTimeout(timer);
  await run();
}

async function run() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  lastRun = performance.now();
  try {
    await fetchRegions();
  } finally {
    running = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

async function fetchRegions() {
  let answer;
  try {
    answer = await fetch(location.href, { headers: { "x-live": seen || "1", accept: "text/html" }, redirect: "manual", cache: "no-store" });
  } catch {
    return lost();
  }
  if (answer.type === "opaqueredirect" || answer.status === 401) return signedOut();
  if (answer.status === 204) return found();
  if (!answer.ok) return lost();
  seen = answer.headers.get("x-live") || "";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of $$("[data-live]")) {
    const wanted = $(`[data-live="${region.dataset.live}"]`, fresh);
    if (wanted) morph(region, wanted);
  }
  // A row that was to be here already: what we said of this page was wrong.
  if ($("[data-live] [data-same]")) {
    seen = "";
    refresh();
  }
  found();
}

function found() {
  showTimes();
  lostSince = 0;
  if (polling) say("polling");
  for (const act of after) act();
}

function lost() {
  lostSince ||= Date.now();
  seen = "";
  say("lost");
}

function say(state) {
  const place = $("#live-state");
  if (!place) return;
  const since = hourOf(lostSince || Date.now());
  const words = {
    live: t("live"), polling: t("every 5 s"), lost: t("disconnected since %(time)s", { time: since }), connecting: t("connecting"),
  };
  if (place.dataset.state === state && state !== "lost") return;
  place.dataset.state = state;
  if (state === "lost") unknownPulse();
  $("[data-live-word]", place).textContent = words[state];
}

// What the foot of the sidebar says was true when the page was last read; the next answer says anew.
function unknownPulse() {
  for (const line of $$('[data-live="pulse"] .pulse > div:not(#live-state)')) {
    line.className = "unknown";
    $("dd", line).textContent = t("unknown");
  }
}

export function watch() {
  if (!$("[data-live]")) return;
  listen();
  whileVisible({
    shown() {
      if (!source) listen();
      refresh();
    },
    hidden: rest,
  });
  addEventListener("pagehide", rest);
}

function rest() {
  source?.close();
  source = null;
  clearInterval(polling);
  polling = 0;
}

function listen() {
  // A page that is told of nothing asks by itself.
  if ("asks" in document.documentElement.dataset) {
    polling ||= setInterval(refresh, ASK);
    return;
  }
  const opened = new EventSource("/api/events");
  source = opened;
  opened.addEventListener("open", () => {
    if (polling) refresh();
    clearInterval(polling);
    polling = lostSince = 0;
    say("live");
  });
  opened.addEventListener("changed", refresh);
  opened.addEventListener("signed_out", () => {
    rest();
    signedOut().then((again) => again && listen());
  });
  opened.addEventListener("error", () => {
    if (opened !== source) return;
    if (!polling) {
      polling = setInterval(() => document.hidden || refresh(), POLL);
      say("polling");
      refresh();
    }
    // A stream the server refused (signed out, too many) is asked for anew while we poll.
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => opened === source && listen(), POLL);
  });
}
