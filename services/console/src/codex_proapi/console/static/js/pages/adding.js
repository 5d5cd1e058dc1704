// The dialog that adds an account, on the pages that have it.
import { $ } from "../dom.js";
import { openDialog } from "../ui/dialogs.js";
import { keepAuthFile } from "./auth_file.js";
import { beginFor, keepLogins } from "./logins.js";
import { keepPersonalToken } from "./personal_token.js";

export function keepAdding() {
  const dialog = $("#add-account");
  keepLogins();
  keepAuthFile();
  keepPersonalToken();
  dialog.addEventListener("opening", (event) => {
    const { loginAccount = "", loginName = "", loginWay = "", agreed = "" } = event.detail;
    beginFor(loginAccount, { agreed: Boolean(agreed) });
    if (loginWay) $(`#tab-${loginWay}`, dialog)?.click();
    $("[data-again]", dialog).hidden = !loginAccount;
    $("[data-again-name]", dialog).textContent = loginName;
  });
}

// `?add` opens the dialog, and the address forgets what has been said once.
export function forgetSaid() {
  const url = new URL(location.href);
  if (url.searchParams.has("add")) openDialog("add-account");
  for (const said of ["add", "signed_in", "login_error", "request_id"]) url.searchParams.delete(said);
  history.replaceState(null, "", url);
}
