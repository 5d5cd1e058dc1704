// A secret that is shown this once: closed only on purpose, forgotten when closed. Esc does not
// close it, and neither does a click beside it: one keystroke must not lose what nobody can show again.
import { $ } from "../dom.js";
import { openDialog } from "../ui/dialogs.js";

export function showSecret(secret) {
  const dialog = $("#made-key");
  $("#made-secret").textContent = secret;
  $(".dialog-head [data-close]", dialog).hidden = true;
  openDialog("made-key");
  $("[data-copy]", dialog).focus();
}

$("#made-key")?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.preventDefault();
  $("[data-copy]", event.currentTarget).focus();
});
$("#made-key")?.addEventListener("cancel", (event) => event.preventDefault());
