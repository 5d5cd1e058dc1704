// API keys: made and shown once, changed, rotated.
import { $, on } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../actions.js";
import { openDialog } from "../dialogs.js";
import { refreshNow } from "../live.js";
import { toast } from "../toasts.js";
import { t } from "../texts.js";
import { carry } from "./carried.js";
import { showOnce } from "./once.js";

let editing = null;
let rotating = "";

const forms = {
  async newKey(form) {
    const { expires_in: expiresIn, ...values } = valuesOf(form);
    if (expiresIn) values.expires_at = Math.floor(Date.now() / 1000) + expiresIn;
    const made = await call("POST", "/api/keys", values);
    form.closest("dialog").close();
    form.reset();
    showOnce(made.secret);
  },
  async editKey(form) {
    await call("PATCH", `/api/keys/${encodeURIComponent(editing)}`, valuesOf(form));
    form.closest("dialog").close();
    toast(t("Saved."));
  },
  async rotateKey(form) {
    const made = await call("POST", `/api/keys/${encodeURIComponent(rotating)}/rotate`, valuesOf(form));
    form.closest("dialog").close();
    showOnce(made.secret);
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
  editing = key.id;
  form.elements.name.value = key.name;
  form.elements.owner.value = key.owner;
  form.elements.weight.value = key.weight;
  for (const field of form.elements) {
    if (field.name?.startsWith("limits.")) field.value = key.limits[field.name.slice(7)] || "";
    if (field.name === "allowed_models[]") field.checked = key.allowed_models.includes(field.value);
  }
  $(".more-fields", form).open = true;
});

$("#rotate-key").addEventListener("opening", (event) => {
  rotating = event.detail.keyId;
  $("[data-key-name]", $("#rotate-key")).textContent = event.detail.keyName;
});

on("click", "[data-carry-key]", () => carry($("#made-secret").textContent));
$("#made-key").addEventListener("close", () => ($("#made-secret").textContent = ""));

const url = new URL(location.href);
if (url.searchParams.has("new")) {
  url.searchParams.delete("new");
  history.replaceState(null, "", url);
  openDialog("new-key");
}
