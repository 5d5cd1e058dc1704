// An owner's own page: his accounts, their terms, and the way out of the pool.
import { on } from "../dom.js";
import { call } from "../api.js";
import { busy } from "../ui/actions.js";
import { confirmed } from "../ui/dialogs.js";
import { refreshNow } from "../live.js";
import { toast } from "../ui/toasts.js";
import { keepTerms } from "../parts/terms_form.js";
import { t } from "../texts.js";
import { forgetSaid, keepAdding } from "./adding.js";

keepAdding();
keepTerms();
forgetSaid();

on("click", "[data-leave]", async (button) => {
  const { leave, name, title, about } = button.dataset;
  if (!(await confirmed({ title, about, button: button.dataset.button, type: name }))) return;
  await busy(button, async () => {
    const left = await call("DELETE", `/api/owner/accounts/${encodeURIComponent(leave)}`);
    if (left.login_revoked) toast(t("%(name)s has left the pool; its login is revoked.", { name }));
    else toast(t("%(name)s has left the pool and its tokens are deleted here. Its login could not be ended at OpenAI: sign out of all devices, or delete the access token, in ChatGPT's settings.", { name }), { seconds: 30 });
    await refreshNow();
  });
});
