// API keys: made and shown once, changed, rotated.
import { $, on } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { openDialog } from "../ui/dialogs.js";
import { refreshNow } from "../live.js";
import { toast } from "../ui/toasts.js";
import { t } from "../texts.js";
import { handOver } from "../parts/key_handover.js";
import { endOf } from "../parts/key_ends.js";
import { showSecret } from "../parts/secret_dialog.js";
import { keepBulk } from "../parts/bulk_keys.js";

let editing = null;
let rotating = "";
let copied = false;

const LISTS = ["allowed_models", "allowed_accounts"];

// What a form says of a key. What it had beyond what the form offers, it keeps.
function keyOf(form, before = {}) {
  const { ends, ...values } = valuesOf(form);
  if (ends) values.expires_at = endOf(ends);
  for (const name of LISTS) {
    const offered = new Set([...form.elements].filter((field) => field.name === `${name}[]`).map((field) => field.value));
    const kept = (before[name] || []).filter((value) => !offered.has(value));
    values[name] = [...kept, ...(values[name] || [])];
  }
  return values;
}

function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(value, value));
  select.value = value;
}

const forms = {
  async newKey(form) {
    const made = await call("POST", "/api/keys", keyOf(form));
    form.closest("dialog").close();
    form.reset();
    showSecret(made.secret);
  },
  async editKey(form) {
    await call("PATCH", `/api/keys/${encodeURIComponent(editing.id)}`, keyOf(form, editing));
    form.closest("dialog").close();
    toast(t("Saved."));
  },
  async rotateKey(form) {
    const made = await call("POST", `/api/keys/${encodeURIComponent(rotating)}/rotate`, valuesOf(form));
    form.closest("dialog").close();
    showSecret(made.secret);
  },
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const name = ["newKey", "editKey", "rotateKey"].find((kind) => kind in form.dataset);
  if (!name) return;
  event.preventDefault();
  await busy(
    event.submitter,
    async () => {
      await forms[name](form);
      await refreshNow();
    },
    $("[data-error]", form),
  );
});

$("#edit-key").addEventListener("opening", (event) => {
  const form = $("[data-edit-key]");
  editing = JSON.parse(event.detail.key);
  form.elements.ends.value = "";
  form.elements.name.value = editing.name;
  form.elements.owner.value = editing.owner;
  form.elements.group.value = editing.group;
  fillLimits(form, editing);
});

// A new key begins empty, or with the limits of the one whose menu was used.
$("#new-key").addEventListener("opening", (event) => {
  const form = $("[data-new-key]");
  const like = "like" in event.detail;
  if (like || copied) form.reset(); // what somebody has typed stays
  copied = like;
  if (!like) return;
  const key = JSON.parse(event.detail.key);
  form.elements.group.value = key.group; // with it the accounts that it may use
  fillLimits(form, key);
});

function fillLimits(form, key) {
  form.elements.weight.value = key.weight;
  for (const field of form.elements) {
    if (field.name?.startsWith("limits.")) {
      const held = key.limits[field.name.slice(7)];
      field.value = ("dollars" in field.dataset ? held / 1e6 : held) || "";
    }
    const list = LISTS.find((name) => field.name === `${name}[]`);
    if (list) field.checked = key[list].includes(field.value);
  }
  for (const name of ["model_fallbacks", "small_work_models"]) form.elements[name].value = key[name];
  for (const name of ["default_model", "default_effort", "reasoning_summary", "max_effort", "fast_tier"]) choose(form.elements[name], key[name]);
  $(".more-fields", form).open = true;
}

$("#rotate-key").addEventListener("opening", (event) => {
  rotating = event.detail.keyId;
  $("[data-key-name]", $("#rotate-key")).textContent = event.detail.keyName;
});

on("click", "[data-carry-key]", () => handOver($("#made-secret").textContent));
$("#made-key").addEventListener("close", () => ($("#made-secret").textContent = ""));

on("change", "select[data-list]", (select) => {
  const url = new URL(location.href);
  url.searchParams.delete("page");
  if (select.value) url.searchParams.set(select.name, select.value);
  else url.searchParams.delete(select.name);
  history.replaceState(null, "", url);
  refreshNow();
});
keepBulk();

const url = new URL(location.href);
if (url.searchParams.has("new")) {
  url.searchParams.delete("new");
  history.replaceState(null, "", url);
  openDialog("new-key");
}
