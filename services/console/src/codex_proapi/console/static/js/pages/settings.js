// Settings: admin tokens are made here and shown once.
import { $, el } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { refreshNow } from "../live.js";
import { showStep } from "../parts/test_steps.js";
import { t } from "../texts.js";
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
const servers = { backend: t("Backend"), authorization: t("Authorization server") };
const steps = { dns: "DNS", tcp: "TCP", proxy: t("Proxy"), tls: "TLS", http: "HTTP" };

$("#test-connection").addEventListener("click", (event) =>
  busy(event.currentTarget, async () => {
    const found = $("#connection-steps");
    found.replaceChildren();
    const { servers: reports } = await call("POST", "/api/connection/test", {});
    for (const report of reports) {
      const list = el("ol", { class: "test-steps" });
      found.append(el("h3", {}, servers[report.name] || report.name, " ", el("code", {}, report.host)), list);
      for (const step of report.steps) {
        showStep(list, { ...step, ok: step.passed, title: steps[step.name] || step.name });
      }
    }
  }),
);

$("#made-key").addEventListener("close", () => ($("#made-secret").textContent = ""));
