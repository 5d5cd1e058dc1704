// A secret that is shown this once: closed only on purpose, forgotten when closed.
import { $ } from "../dom.js";
import { openDialog } from "../dialogs.js";

export function showOnce(secret) {
  $("#made-secret").textContent = secret;
  openDialog("made-key");
  $("[data-copy]", $("#made-key")).focus();
}
