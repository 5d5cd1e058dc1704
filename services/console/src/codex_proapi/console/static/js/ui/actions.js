// Buttons and forms that call the API and say what came of it, where the visitor is.
//   data-call="PATCH /api/…" data-body='{…}' data-confirm-title/-about/-button/-type data-said data-then
//   <form data-api="POST /api/…" data-said data-then data-reset>
import { $, on } from "../dom.js";
import { call, Fault } from "../api.js";
import { confirmed } from "./dialogs.js";
import { refreshNow } from "../live.js";
import { toast } from "./toasts.js";
import { t } from "../texts.js";

export function showError(place, fault) {
  if (!place) return toast(textOf(fault), { seconds: 12 });
  place.textContent = textOf(fault);
  place.hidden = false;
  return undefined;
}

export const textOf = (fault) => (fault instanceof Fault ? fault.describe() : String(fault.message || fault));

// Runs an action with its button busy; a fault is shown at `place`, or as a toast.
export async function busy(button, action, place = null) {
  if (place) place.hidden = true;
  button?.setAttribute("aria-busy", "true");
  try {
    return await action();
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    showError(place, fault);
    return null;
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

// A form's values as JSON: `a.b` nests, `a[]` gathers, `data-number` is a number, empty ones are 0;
// `data-dollars` are millionths of a dollar.
export function valuesOf(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || "skip" in field.dataset || field.type === "file") continue;
    if (field.name.endsWith("[]")) {
      const list = (values[field.name.slice(0, -2)] ||= []);
      if (field.checked) list.push(field.value);
      continue;
    }
    if (field.type === "radio" && !field.checked) continue;
    const path = field.name.split(".");
    let place = values;
    for (const part of path.slice(0, -1)) place = place[part] ||= {};
    place[path.at(-1)] = valueOf(field);
  }
  return values;
}

function valueOf(field) {
  if ("null" in field.dataset && !field.value) return null;
  if ("pairs" in field.dataset) return pairsOf(field.value);
  if (field.type === "checkbox") return field.checked;
  if ("dollars" in field.dataset) return Math.round(Number(field.value) * 1e6);
  if ("number" in field.dataset) return field.value === "" ? 0 : Number(field.value);
  return field.type === "password" ? field.value : field.value.trim();
}

// Lines of `name = value`; none at all is null. A line that says something else is a fault.
function pairsOf(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const pairs = lines.map((line) => {
    const [name, ...rest] = line.split("=").map((part) => part.trim());
    if (!name || rest.length !== 1 || !rest[0]) throw new Fault({ code: "line_unreadable", message: t("“%(line)s” is not “name = model”.", { line }) });
    return [name, rest[0]];
  });
  const names = pairs.map(([name]) => name.toLowerCase());
  const twice = pairs.find((_, at) => names.indexOf(names[at]) !== at);
  if (twice) throw new Fault({ code: "line_unreadable", message: t("“%(name)s” stands in two lines.", { name: twice[0] }) });
  return pairs.length ? Object.fromEntries(pairs) : null;
}

export function keepActions() {
  on("click", "[data-call]", act);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.api) {
      event.preventDefault();
      submit(form, event.submitter);
    }
  });
}

async function act(button) {
  button.closest("details.menu")?.removeAttribute("open");
  const { confirmTitle, confirmAbout, confirmButton, confirmType, said, then } = button.dataset;
  if (confirmTitle) {
    const sure = await confirmed({ title: confirmTitle, about: confirmAbout, button: confirmButton, type: confirmType });
    if (!sure) return;
  }
  const [method, path] = button.dataset.call.split(" ");
  const body = button.dataset.body ? JSON.parse(button.dataset.body) : undefined;
  await busy(button, async () => {
    await call(method, path, body);
    if (then) return location.assign(then);
    if (said) toast(said);
    return refreshNow();
  });
}

async function submit(form, button) {
  const [method, path] = form.dataset.api.split(" ");
  await busy(
    button,
    async () => {
      await call(method, path, valuesOf(form), { again: !path.endsWith("/session") });
      if (form.dataset.then) return location.assign(form.dataset.then);
      if (form.dataset.said) toast(form.dataset.said);
      if ("reset" in form.dataset) form.reset();
      form.closest("dialog")?.close("done");
      if (form.closest("#sign-in-again")) form.reset();
      return refreshNow();
    },
    $("[data-error]", form),
  );
}
