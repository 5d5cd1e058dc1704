// Three ways to sign an account in: device code, pasted address, this browser. An owner of accounts
// agrees first, and has routes of his own.
import { $, el } from "../dom.js";
import { call, Fault } from "../api.js";
import { busy, showError } from "../ui/actions.js";
import { refreshNow } from "../live.js";
import { showTimes } from "../times.js";
import { toast } from "../ui/toasts.js";
import { t } from "../texts.js";

const POLL = 2000;
const dialog = $("#add-account");
let account = "";
let waiting = 0;
export const homes = dialog.dataset;
const agreement = $("[data-consent]", dialog);

// `agreed`: nothing needs to be agreed to anew.
export function beginFor(accountId, { agreed = false } = {}) {
  account = accountId;
  stop();
  if (agreement) {
    agreement.checked = false;
    $("[data-consent-block]", dialog).hidden = agreed;
    $("[data-ways]", dialog).hidden = !agreed;
  }
  const device = $("#way-device");
  if (device) {
    $('[data-step="begin"]', device).hidden = false;
    $('[data-step="code"]', device).hidden = true;
  }
  const link = $("[data-login-link]", dialog);
  if (link) link.hidden = true;
  const browser = $("[data-browser-login]", dialog);
  if (browser) browser.href = account ? `/auth/login?account=${encodeURIComponent(account)}` : "/auth/login";
}

export const renewing = () => account;

export function stop() {
  clearTimeout(waiting);
  waiting = 0;
}

export const consent = () => (agreement?.checked ? { consent: agreement.value } : {});
const begin = (way) => call("POST", homes.logins, { way, account, ...consent() });
const nameOf = async (id) => (await call("GET", `${homes.accounts}/${encodeURIComponent(id)}`)).name;
const errorOf = (way) => $(`#way-${way} > [data-way-error]`);

export async function done(name) {
  stop();
  dialog.close();
  toast(t("%(name)s is signed in and ready.", { name }));
  await refreshNow();
}

async function beginDevice(button) {
  await busy(
    button,
    async () => {
      const login = await begin("device");
      const way = $("#way-device");
      $('[data-step="begin"]', way).hidden = true;
      $('[data-step="code"]', way).hidden = false;
      $("#device-code").textContent = login.user_code;
      $("[data-device-link]", way).href = login.verification_url;
      $("[data-device-ends]", way).dateTime = new Date(login.expires_at * 1000).toISOString();
      showTimes(way);
      waiting = setTimeout(() => poll(login), login.interval * 1000);
    },
    errorOf("device"),
  );
}

async function poll(login) {
  try {
    const state = await call("POST", `${homes.logins}/${encodeURIComponent(login.id)}/poll`);
    if (!waiting) return undefined;
    if (state.standing === "done") return done(await nameOf(state.account));
    if (state.standing === "failed") throw new Fault({ code: state.code });
    waiting = setTimeout(() => poll(login), login.interval * 1000);
  } catch (fault) {
    if (fault.code === "offline") return (waiting = setTimeout(() => poll(login), 5000));
    stop();
    $('#way-device [data-step="begin"]').hidden = false;
    $('#way-device [data-step="code"]').hidden = true;
    showError(errorOf("device"), fault);
  }
  return undefined;
}

const beginBrowser = (button) =>
  busy(button, async () => location.assign((await begin("browser")).authorize_url), errorOf("browser"));

// The page opens in a tab of its own; a blocked pop-up still leaves the link.
async function beginPasted(button) {
  const tab = open("about:blank", "_blank");
  if (tab) tab.opener = null;
  await busy(
    button,
    async () => {
      const login = await begin("pasted");
      const link = $("[data-login-link]", dialog);
      link.href = login.authorize_url;
      link.hidden = false;
      if (tab) tab.location.href = login.authorize_url;
      stop();
      waiting = setTimeout(() => watchPasted(login), POLL);
    },
    errorOf("pasted"),
  );
  if (tab && $("[data-login-link]", dialog).hidden) tab.close();
}

// Where the address is this console, the other tab finishes the login: nothing is left to paste.
async function watchPasted(login) {
  const state = await call("GET", `${homes.logins}/${encodeURIComponent(login.id)}`).catch(() => null);
  if (!waiting) return;
  if (state?.standing === "done") {
    await done(await nameOf(state.account));
  } else if (state?.standing === "failed") {
    stop();
    showError(errorOf("pasted"), new Fault({ code: state.code }));
  } else {
    waiting = setTimeout(() => watchPasted(login), POLL);
  }
}

async function finishPasted(form, button) {
  stop();
  await busy(
    button,
    async () => {
      const made = await call("POST", `${homes.logins}/callback`, { url: form.elements.url.value.trim() });
      form.reset();
      await done(made.name);
    },
    $("[data-error]", form),
  );
}

const begins = { device: beginDevice, pasted: beginPasted, browser: beginBrowser };

export function keepLogins() {
  for (const button of dialog.querySelectorAll("[data-begin]")) {
    button.addEventListener("click", () => begins[button.dataset.begin](button));
  }
  agreement?.addEventListener("change", () => ($("[data-ways]", dialog).hidden = !agreement.checked));
  dialog.addEventListener("submit", (event) => {
    if (event.target.dataset.way !== "pasted") return;
    event.preventDefault();
    finishPasted(event.target, event.submitter);
  });
  dialog.addEventListener("close", stop);
}

export const facts = (list) => list.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
