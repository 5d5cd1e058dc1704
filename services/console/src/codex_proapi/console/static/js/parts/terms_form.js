// The dialog of an owner's terms: hours as spans of days, shares, keys.
import { $, $$, on } from "../dom.js";
import { call } from "../api.js";
import { busy, valuesOf } from "../ui/actions.js";
import { refreshNow } from "../live.js";
import { toast } from "../ui/toasts.js";
import { t } from "../texts.js";

const LISTS = ["key_groups", "keys"];
const WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
let editing = null;

function addSpan(dialog, { days = WEEK, from = "09:00", until = "17:00" } = {}) {
  const row = $("template[data-span]", dialog).content.firstElementChild.cloneNode(true);
  for (const day of $$("[data-day]", row)) day.checked = days.includes(day.dataset.day);
  choose($("[data-begin]", row), from);
  choose($("[data-end]", row), until);
  $("[data-spans]", dialog).append(row);
  tell(dialog);
  return row;
}

// A time that is no half hour was set by a script, and stays.
function choose(select, time) {
  if (![...select.options].some((option) => option.value === time)) select.add(new Option(time, time));
  select.value = time;
}

function tell(dialog) {
  $("[data-always]", dialog).hidden = Boolean($("[data-spans] > li", dialog));
}

const spansOf = (dialog) =>
  $$("[data-spans] > li", dialog).map((row) => ({
    days: $$("[data-day]", row).filter((day) => day.checked).map((day) => day.dataset.day),
    from: $("[data-begin]", row).value,
    until: $("[data-end]", row).value,
  }));

// What was chosen before and is not offered any more, is kept.
function termsOf(dialog, form) {
  const values = valuesOf(form);
  for (const name of LISTS) {
    const offered = $$(`[name="${name}[]"]`, form).map((field) => field.value);
    values[name] = [...editing[name].filter((value) => !offered.includes(value)), ...(values[name] || [])];
  }
  return { ...values, hours: spansOf(dialog) };
}

function fill(dialog, form) {
  form.reset();
  $("[data-spans]", dialog).replaceChildren();
  for (const span of editing.hours) addSpan(dialog, span);
  tell(dialog);
  const unset = !editing.hours.length && editing.time_zone === "UTC";
  form.elements.time_zone.value = unset ? Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC" : editing.time_zone;
  for (const [name, value] of Object.entries(editing.reserved_percent)) form.elements[`reserved_percent.${name}`].value = value;
  for (const name of LISTS) {
    for (const field of $$(`[name="${name}[]"]`, form)) field.checked = editing[name].includes(field.value);
  }
}

export function keepTerms() {
  const dialog = $("#edit-terms");
  if (!dialog) return;
  const form = $("[data-edit-terms]", dialog);
  dialog.addEventListener("opening", (event) => {
    editing = JSON.parse(event.detail.terms);
    fill(dialog, form);
  });
  on("click", "[data-add-span]", () => $("[data-begin]", addSpan(dialog)).focus());
  on("click", "[data-nights]", () => {
    $("[data-spans]", dialog).replaceChildren();
    addSpan(dialog, { days: WEEK.slice(0, 5), from: "19:00", until: "07:00" });
    addSpan(dialog, { days: WEEK.slice(5), from: "00:00", until: "24:00" });
  });
  on("click", "[data-drop-span]", (button) => {
    button.closest("li").remove();
    tell(dialog);
    $("[data-add-span]", dialog).focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(
      event.submitter,
      async () => {
        await call("PATCH", dialog.dataset.path.replace("{id}", encodeURIComponent(editing.id)), termsOf(dialog, form));
        dialog.close();
        toast(t("Saved."));
        await refreshNow();
      },
      $("[data-error]", form),
    );
  });
}
