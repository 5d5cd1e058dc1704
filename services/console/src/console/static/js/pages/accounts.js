// The list of accounts and one account: the dialog with four ways, sorting, the test.
import { $, on } from "../dom.js";
import { call } from "../api.js";
import { busy } from "../actions.js";
import { openDialog } from "../dialogs.js";
import { refreshNow } from "../live.js";
import { beginFor, keepLogins } from "./logins.js";
import { keepAuthFile } from "./auth_file.js";
import { showStep } from "./steps.js";
import { t } from "../texts.js";

const dialog = $("#add-account");
keepLogins();
keepAuthFile();

dialog.addEventListener("opening", (event) => {
  const { loginAccount = "", loginName = "" } = event.detail;
  beginFor(loginAccount);
  $("[data-again]", dialog).hidden = !loginAccount;
  $("[data-again-name]", dialog).textContent = loginName;
});

$("[data-sort]")?.addEventListener("change", (event) => {
  const url = new URL(location.href);
  url.searchParams.set("sort", event.target.value);
  history.replaceState(null, "", url);
  refreshNow();
});

const names = {
  network: t("Network to OpenAI"), token: t("Token"), models: t("Models"), answer: t("A short answer"),
};

on("click", "[data-test]", (button) =>
  busy(button, async () => {
    const list = $("#test-steps");
    list.replaceChildren();
    const { steps } = await call("POST", button.dataset.test);
    for (const step of steps) showStep(list, { ...step, title: names[step.name] || step.name });
  }),
);

// `/accounts?add` opens the dialog, and the address forgets what has been said once.
const url = new URL(location.href);
if (url.searchParams.has("add")) openDialog("add-account");
for (const said of ["add", "added", "login_error", "request_id"]) url.searchParams.delete(said);
history.replaceState(null, "", url);
