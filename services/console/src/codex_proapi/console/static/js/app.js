// Where every page begins: what all pages do, then what this one does.
import { keepActions } from "./ui/actions.js";
import { call } from "./api.js";
import { $ } from "./dom.js";
import { keepDialogs } from "./ui/dialogs.js";
import { watch } from "./live.js";
import { keepControls } from "./ui/controls.js";
import { keepShortcuts } from "./ui/shortcuts.js";
import { keepTimes } from "./times.js";

const pages = {
  dashboard: () => import("./pages/dashboard.js"),
  accounts: () => import("./pages/accounts.js"),
  keys: () => import("./pages/keys.js"),
  connect: () => import("./pages/connect.js"),
  logs: () => import("./pages/logs.js"),
  what_if: () => import("./pages/what_if.js"),
  alerts: () => import("./pages/alerts.js"),
  owners: () => import("./pages/owners.js"),
  owner: () => import("./pages/owner.js"),
  settings: () => import("./pages/settings.js"),
};

keepTimes();
keepControls();
keepDialogs();
keepActions();
keepShortcuts();
watch();
$("#sign-out")?.addEventListener("click", async () => {
  await call("DELETE", "/api/session").catch(() => null);
  location.assign("/");
});
await pages[document.documentElement.dataset.page]?.();
document.documentElement.dataset.ready = "";
