// API keys: made and shown once, changed, rotated.
import { $, on } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { openDialog } from "../ui/dialogs.js";
import { refreshNow } from "../live.js";
import { toast } from "../ui/toasts.js";
import { t } from "../texts.js";
import { handOver } from "../parts/key_handover.js";
import { showSecret } from "../parts/secret_dialog.js";

let editing = null;
let rotating = "";

const LISTS = ["allowed_models", "allowed_accounts"];

// What a form says of a key. What it had beyond what the form offers, it keeps.
function keyOf(form, before = {}) {
  const { ends, ...values } = valuesOf(form);
  if (ends) values.expires_at = ends === "never" ? 0 : Math.floor(Date.now() / 1000) + Number(ends);
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
  const key = JSON.parse(event.detail.key);
  const form = $("[data-edit-key]");
  editing = key;
  form.elements.ends.value = "";
  form.elements.name.value = key.name;
  form.elements.owner.value = key.owner;
  form.elements.weight.value = key.weight;
  for (const field of form.elements) {
    if (field.name?.startsWith("limits.")) field.value = key.limits[field.name.slice(7)] || "";
    const list = LISTS.find((name) => field.name === `${name}[]`);
    if (list) field.checked = key[list].includes(field.value);
  }
  for (const name of ["default_model", "default_effort", "reasoning_summary"]) choose(form.elements[name], key[name]);
  $(".more-fields", form).open = true;
});

$("#rotate-key").addEventListener("opening", (event) => {
  rotating = event.detail.keyId;
  $("[data-key-name]", $("#rotate-key")).textContent = event.detail.keyName;
});

on("click", "[data-carry-key]", () => handOver($("#made-secret").textContent));
$("#made-key").addEventListener("close", () => ($("#made-secret").textContent = ""));

const url = new URL(location.href);
if (url.searchParams.has("new")) {
  url.searchParams.delete("new");
  history.replaceState(null, "", url);
  openDialog("new-key");
}
