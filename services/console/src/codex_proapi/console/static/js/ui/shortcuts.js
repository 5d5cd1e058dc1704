// One-key ways around: `/` search, `g` and a letter, `n` the main action, `p` pause, `?` help.
import { $, $$, on } from "../dom.js";
import { openDialog } from "./dialogs.js";

const KEPT = "shortcuts"; // in this browser: "off" where single letters are not wanted (WCAG 2.1.4)
let going = 0;

const wanted = () => localStorage.getItem(KEPT) !== "off";

function showChoice() {
  for (const button of $$("[data-shortcuts-choice]")) {
    button.setAttribute("aria-pressed", String((button.dataset.shortcutsChoice === "on") === wanted()));
  }
}

export function keepShortcuts() {
  $("#open-help")?.addEventListener("click", () => openDialog("help"));
  showChoice();
  on("click", "[data-shortcuts-choice]", (button) => {
    localStorage.setItem(KEPT, button.dataset.shortcutsChoice);
    showChoice();
  });
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (!wanted()) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (target.matches("input, textarea, select, [contenteditable]") || $("dialog[open]")) return;
    if (act(event.key)) event.preventDefault();
  });
}

function act(key) {
  if (going && Date.now() - going < 1500) {
    going = 0;
    const link = $(`.nav a[data-key="${CSS.escape(key)}"]`);
    if (link) location.assign(link.href);
    return Boolean(link);
  }
  if (key === "g") going = Date.now();
  if (key === "/") return focus($("#search"));
  if (key === "?") return openDialog("help") ?? true;
  if (key === "n") return press($("[data-primary]"));
  if (key === "p") return press($("#log-pause"));
  return false;
}

function focus(element) {
  element?.focus();
  element?.select?.();
  return Boolean(element);
}

function press(element) {
  element?.click();
  return Boolean(element);
}
