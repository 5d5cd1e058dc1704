// Several API keys at once: those whose boxes are ticked and that are shown, never others.
import { $, $$, on } from "../dom.js";
import { call, Fault } from "../api.js";
import { busy, textOf, valuesOf } from "../ui/actions.js";
import { confirmed } from "../ui/dialogs.js";
import { refreshNow, whenRefreshed } from "../live.js";
import { toast } from "../ui/toasts.js";
import { sentences, t, tn } from "../texts.js";
import { endOf } from "./key_ends.js";

const MOST_NAMES = 5;
const NO_GROUP = "-";
const boxes = () => $$("[data-pick]").filter((box) => !box.closest("tr").hidden);
const picked = () => boxes().filter((box) => box.checked).map((box) => JSON.parse(box.closest("tr").dataset.key));
const living = () => picked().filter((key) => !key.revoked);
const path = (key) => `/api/keys/${encodeURIComponent(key.id)}`;

function show() {
  const shown = boxes();
  const count = shown.filter((box) => box.checked).length;
  $("#bulk").hidden = !count;
  $("[data-bulk-count]").textContent = tn("%(num)s key selected", "%(num)s keys selected", count);
  const all = $("[data-pick-all]");
  if (!all) return;
  all.checked = count > 0 && count === shown.length;
  all.indeterminate = count > 0 && count < shown.length;
}

// What is hidden by the search is not ticked any more: nobody changes what they do not see.
function forgetHidden() {
  for (const box of $$("tr[hidden] [data-pick]")) box.checked = false;
  show();
}

function named(keys) {
  const names = keys.slice(0, MOST_NAMES).map((key) => key.name).join(", ");
  const more = keys.length - MOST_NAMES;
  return more > 0 ? tn("%(names)s and %(num)s more", "%(names)s and %(num)s more", more, { names }) : names;
}

// One after the other; the first refusal ends it, and what was done before stays done.
async function forEach(keys, act) {
  let done = 0;
  try {
    for (const key of keys) {
      await act(key);
      done += 1;
    }
    toast(tn("Done for %(num)s key.", "Done for %(num)s keys.", done));
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const told = t("Done for %(done)s of %(total)s keys.", { done, total: keys.length });
    toast(sentences(told, textOf(fault)), { seconds: 12 });
  }
  await refreshNow();
}

const deeds = {
  async revoke() {
    const keys = living();
    if (!keys.length) return;
    const title = tn("Revoke %(num)s key?", "Revoke %(num)s keys?", keys.length);
    const about = t("Every client that uses them is refused within two seconds, and answers under way end. This cannot be undone.");
    const sure = await confirmed({ title, about: `${named(keys)}. ${about}`, button: t("Revoke") });
    if (sure) await forEach(keys, (key) => call("DELETE", path(key)));
  },
  async delete() {
    const keys = picked();
    const title = tn("Delete %(num)s key?", "Delete %(num)s keys?", keys.length);
    const about = t("They stop working and leave this list; their usage history stays.");
    const sure = await confirmed({ title, about: `${named(keys)}. ${about}`, button: t("Delete") });
    if (sure) await forEach(keys, (key) => call("DELETE", `${path(key)}?forget=true`));
  },
  none() {
    for (const box of boxes()) box.checked = false;
    show();
  },
};

async function limit(form) {
  const { ends, group, ...values } = valuesOf(form);
  const filled = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
  const change = ends ? { expires_at: endOf(ends) } : {};
  if (group) change.group = group === NO_GROUP ? "" : group;
  const limits = Object.keys(filled).length > 0;
  const keys = living();
  form.closest("dialog").close();
  form.reset();
  if (!limits && !Object.keys(change).length) return;
  await forEach(keys, (key) => call("PATCH", path(key), limits ? { ...change, limits: { ...key.limits, ...filled } } : change));
}

export function keepBulk() {
  on("change", "[data-pick]", show);
  on("change", "[data-pick-all]", (all) => {
    for (const box of boxes()) box.checked = all.checked;
    show();
  });
  on("click", "[data-bulk]", (button) => busy(button, () => deeds[button.dataset.bulk]()));
  document.addEventListener("input", (event) => event.target.matches("#search") && forgetHidden());
  document.addEventListener("submit", (event) => {
    if (!("bulkLimits" in event.target.dataset)) return;
    event.preventDefault();
    busy(event.submitter, () => limit(event.target), $("[data-error]", event.target));
  });
  whenRefreshed(forgetHidden);
  show();
}
