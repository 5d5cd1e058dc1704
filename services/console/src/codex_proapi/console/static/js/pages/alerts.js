// Alerts: destinations are added (a secret made for one is shown once), changed and tried.
import { $, $$, on } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { refreshNow } from "../live.js";
import { toast } from "../ui/toasts.js";
import { t } from "../texts.js";
import { showSecret } from "../parts/secret_dialog.js";

let editing = null;

// Shows the fields a destination of this shape has.
function fit(form, shape) {
  for (const field of $$("[data-for]", form)) field.hidden = !field.dataset.for.split(" ").includes(shape);
}

function destinationOf(form) {
  const values = valuesOf(form);
  for (const field of form.elements) {
    if ("lines" in field.dataset) values[field.name] = field.value.split(/[\n,;]/).map((line) => line.trim()).filter(Boolean);
    if (!field.name || field.name.endsWith("[]")) continue;
    if (("ifGiven" in field.dataset && !field.value) || field.closest("[hidden]")) delete values[field.name];
    else if (field.name === "address") values.address = field.value.trim();
  }
  return { ...values, kinds: values.kinds || [] };
}

const forms = {
  async newDestination(form) {
    const made = await call("POST", "/api/alerts/destinations", destinationOf(form));
    form.closest("dialog").close();
    form.reset();
    fit(form, "json");
    if (made.secret) showSecret(made.secret);
    else toast(t("Saved."));
  },
  async editDestination(form) {
    await call("PATCH", `/api/alerts/destinations/${encodeURIComponent(editing.id)}`, destinationOf(form));
    form.closest("dialog").close();
    toast(t("Saved."));
  },
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const name = Object.keys(forms).find((kind) => kind in form.dataset);
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

$("#edit-destination").addEventListener("opening", (event) => {
  const form = $("[data-edit-destination]");
  editing = JSON.parse(event.detail.destination);
  form.reset();
  form.elements.name.value = editing.name;
  form.elements.sender.value = editing.sender;
  form.elements.recipients.value = editing.recipients.join("\n");
  form.elements.language.value = editing.language;
  form.elements.enabled.checked = editing.enabled;
  for (const field of form.elements) if (field.name === "kinds[]") field.checked = editing.kinds.includes(field.value);
  fit(form, editing.shape);
});

$("[data-shape]").addEventListener("change", (event) => fit(event.target.form, event.target.value));
fit($("[data-new-destination]"), "json");

on("click", "[data-try]", (button) =>
  busy(button, async () => {
    const outcome = await call("POST", `/api/alerts/destinations/${encodeURIComponent(button.dataset.try)}/test`);
    if (outcome.code === "delivered") toast(t("The test is delivered."));
    else toast(t("The test is not delivered: %(code)s", { code: outcome.code }), { seconds: 12 });
    await refreshNow();
  }),
);
$("#made-key").addEventListener("close", () => ($("#made-secret").textContent = ""));
