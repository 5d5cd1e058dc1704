// Controls of every page: copy buttons, menus, tabs, the drawer, search, language, theme.
import { $, $$, on, setCookie } from "../dom.js";
import { t } from "../texts.js";
import { toast } from "./toasts.js";
import { refreshNow, whenRefreshed } from "../live.js";

export async function copy(text, button = null) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
  const label = button && $("span", button);
  if (!label) return toast(t("Copied."), { seconds: 2 });
  label.dataset.before ||= label.textContent;
  label.textContent = t("Copied");
  setTimeout(() => (label.textContent = label.dataset.before), 1500);
  return undefined;
}

// Plain http on another host has no clipboard; the old way still works there.
function copyBySelection(text) {
  const within = document.querySelector("dialog[open]") || document.body;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  within.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function keepMenus() {
  document.addEventListener("click", (event) => {
    for (const open of $$("details.menu[open], details.filters[open]")) {
      if (!open.contains(event.target)) open.removeAttribute("open");
    }
  });
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!(menu instanceof HTMLDetailsElement) || !menu.open || !menu.classList.contains("menu")) return;
    menu.classList.remove("up");
    const list = $(".menu-list", menu).getBoundingClientRect();
    menu.classList.toggle("up", list.bottom > innerHeight - 8 && list.top - list.height > 80);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = $("details.menu[open], details.filters[open]");
    if (!open) return;
    open.removeAttribute("open");
    $("summary", open).focus();
  });
}

export function choose(tab, { focus = false } = {}) {
  const list = tab.closest('[role="tablist"]');
  for (const other of $$('[role="tab"]', list)) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
  tab.dispatchEvent(new CustomEvent("chosen", { bubbles: true }));
}

function keepTabs() {
  on("click", '[role="tab"]', (tab) => choose(tab));
  on("keydown", '[role="tab"]', (tab, event) => {
    const tabs = $$('[role="tab"]', tab.closest('[role="tablist"]'));
    const at = tabs.indexOf(tab);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = event.key === "Home" ? tabs[0] : event.key === "End" ? tabs.at(-1) : step && tabs.at((at + step) % tabs.length);
    if (!next) return;
    event.preventDefault();
    choose(next, { focus: true });
  });
}

function keepDrawer() {
  const sidebar = $("#sidebar"), button = $("#open-drawer"), scrim = $("#scrim");
  if (!sidebar) return;
  const show = (open) => {
    sidebar.classList.toggle("open", open);
    scrim.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    $(".stage").inert = open;
    if (open) $("a", $(".nav", sidebar)).focus();
    else if (document.activeElement === document.body || sidebar.contains(document.activeElement)) button.focus();
  };
  button.addEventListener("click", () => show(true));
  scrim.addEventListener("click", () => show(false));
  document.addEventListener("keydown", (event) => event.key === "Escape" && sidebar.classList.contains("open") && show(false));
}

function keepSearch() {
  const filter = () => {
    for (const input of $$("[data-search]")) {
      const wanted = input.value.trim().toLocaleLowerCase();
      const rows = $$(input.dataset.search);
      for (const row of rows) row.hidden = !row.dataset.text.toLocaleLowerCase().includes(wanted);
      const nothing = $("[data-nothing]");
      if (nothing) nothing.hidden = !rows.length || rows.some((row) => !row.hidden);
    }
  };
  on("input", "[data-search]", filter);
  on("input", "[data-narrow]", (input) => {
    const wanted = input.value.trim().toLocaleLowerCase();
    for (const option of $$(".checks > label", input.closest("fieldset"))) {
      option.hidden = !option.textContent.toLocaleLowerCase().includes(wanted);
    }
  });
  let asking = 0;
  on("input", "[data-ask]", (input) => {
    clearTimeout(asking);
    asking = setTimeout(() => ask(input.value.trim()), 250);
  });
  whenRefreshed(filter);
}

// Searches a list of more rows than a page has: the server shows those that match.
function ask(wanted) {
  const url = new URL(location.href);
  url.searchParams.delete("page");
  if (wanted) url.searchParams.set("q", wanted);
  else url.searchParams.delete("q");
  history.replaceState(null, "", url);
  return refreshNow();
}

function keepPreferences() {
  on("click", "[data-theme-choice]", (button) => {
    const theme = button.dataset.themeChoice;
    setCookie("theme", theme);
    document.documentElement.dataset.theme = theme;
    $('meta[name="color-scheme"]').content = theme === "system" ? "light dark" : theme;
    for (const other of $$("[data-theme-choice]")) other.setAttribute("aria-pressed", String(other.dataset.themeChoice === theme));
    dispatchEvent(new Event("themechange"));
  });
  on("click", "[data-language-choice]", (button) => {
    setCookie("language", button.dataset.languageChoice);
    location.reload();
  });
}

export function keepControls() {
  on("click", "[data-copy]", (button) => copy($(button.dataset.copy).textContent, button));
  on("click", "[data-reveal]", (button) => {
    const input = $(button.dataset.reveal);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? t("Show") : t("Hide");
    button.setAttribute("aria-pressed", String(!shown));
  });
  keepMenus();
  keepTabs();
  keepDrawer();
  keepSearch();
  keepPreferences();
}
