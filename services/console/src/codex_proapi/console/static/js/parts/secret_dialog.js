// A secret that is shown this once: closed only on purpose, forgotten when closed.
import { $ } from "../dom.js";
import { openDialog } from "../ui/dialogs.js";

export function showSecret(secret) {
  $("#made-secret").textContent = secret;
  openDialog("made-key");
  $("[data-copy]", $("#made-key")).focus();
}
