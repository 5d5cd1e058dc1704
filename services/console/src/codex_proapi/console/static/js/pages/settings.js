// Settings: admin tokens are made here and shown once.
import { $ } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { refreshNow } from "../live.js";
import { showSecret } from "../parts/secret_dialog.js";

$("[data-new-token]").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  busy(
    event.submitter,
    async () => {
      const made = await call("POST", "/api/tokens", valuesOf(form));
      form.closest("dialog").close();
      form.reset();
      showSecret(made.secret);
      await refreshNow();
    },
    $("[data-error]", form),
  );
});
$("#made-key").addEventListener("close", () => ($("#made-secret").textContent = ""));
