// Owners of accounts, for the administrator: added, renamed, and given a link that is shown once.
import { $, on } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { confirmed } from "../ui/dialogs.js";
import { refreshNow } from "../live.js";
import { toast } from "../ui/toasts.js";
import { showSecret } from "../parts/secret_dialog.js";
import { t } from "../texts.js";

let renaming = "";

async function invite(id) {
  showSecret((await call("POST", `/api/owners/${encodeURIComponent(id)}/invitation`)).link);
  await refreshNow();
}

const forms = {
  async newOwner(form) {
    const made = await call("POST", "/api/owners", valuesOf(form));
    form.closest("dialog").close();
    form.reset();
    await invite(made.id);
  },
  async renameOwner(form) {
    await call("PATCH", `/api/owners/${encodeURIComponent(renaming)}`, valuesOf(form));
    form.closest("dialog").close();
    toast(t("Saved."));
    await refreshNow();
  },
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  const name = Object.keys(forms).find((kind) => kind in form.dataset);
  if (!name) return;
  event.preventDefault();
  busy(event.submitter, () => forms[name](form), $("[data-error]", form));
});

$("#rename-owner")?.addEventListener("opening", (event) => {
  renaming = event.detail.owner;
  $("#rename-owner [name=name]").value = event.detail.name;
});

on("click", "[data-invite]", async (button) => {
  const { invite: id, name } = button.dataset;
  const ask = {
    title: t("A new link for %(name)s?", { name }),
    about: t("The browser that has come in with the last link is signed out."),
    button: t("New link"),
  };
  if ("replaces" in button.dataset && !(await confirmed(ask))) return;
  await busy(button, () => invite(id));
});

$("#made-key")?.addEventListener("close", () => ($("#made-secret").textContent = ""));
