// Dialogs: opened by `data-open`, closed by `data-close`, Esc or a click beside them. The browser
// keeps the focus inside and gives it back.
import { $, on } from "../dom.js";
import { t } from "../texts.js";

export function openDialog(id, opener = null) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  for (const error of dialog.querySelectorAll("[data-error]")) error.hidden = true;
  dialog.dispatchEvent(new CustomEvent("opening", { detail: { ...opener?.closest("[data-key]")?.dataset, ...opener?.dataset } }));
  dialog.showModal();
  const first = $("input:not([hidden]):not([type=checkbox]), textarea, select", dialog);
  if (first && first.offsetParent && !dialog.classList.contains("wide")) first.focus();
}

// Asks before an action; `type` is a name that must be typed for the worst ones.
export function confirmed({ title, about, button, type = "" }) {
  const dialog = $("#confirm");
  const typing = $("[data-confirm-typing]", dialog);
  const input = $("[data-confirm-name]", dialog);
  const does = $("[data-confirm-do]", dialog);
  $("h2", dialog).textContent = title;
  $("[data-confirm-text]", dialog).textContent = about;
  does.textContent = button;
  typing.hidden = !type;
  input.value = "";
  $("[data-confirm-ask]", dialog).textContent = t("Type %(name)s to confirm", { name: type });
  const check = () => {
    does.disabled = Boolean(type) && input.value.trim() !== type.trim();
  };
  input.oninput = check;
  check();
  dialog.returnValue = "";
  does.value = "yes";
  dialog.showModal();
  (type ? input : $("[data-close].button:not(.icon-only)", dialog)).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function keepDialogs() {
  on("click", "[data-open]", (opener) => {
    opener.closest("details.menu")?.removeAttribute("open");
    openDialog(opener.dataset.open, opener);
  });
  on("click", "[data-close]", (button) => button.closest("dialog")?.close());
  document.addEventListener("mousedown", (event) => {
    if (event.target instanceof HTMLDialogElement && event.target.id !== "made-key") event.target.close();
  });
}
