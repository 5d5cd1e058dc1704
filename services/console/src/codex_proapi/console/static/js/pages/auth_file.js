// One way to add an account: an auth.json, pasted, dropped or chosen; looked at first, then saved.
import { $ } from "../dom.js";
import { call, Fault } from "../api.js";
import { busy, showError } from "../ui/actions.js";
import { consent, done, homes, renewing } from "./logins.js";
import { showPreview } from "../parts/account_preview.js";

const LARGEST = 256 * 1024;
const form = $('form[data-way="auth_json"]');
const text = form.elements.auth_json;
const error = $("[data-error]", form);

function read() {
  try {
    const value = JSON.parse(text.value);
    if (value && typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // Falls through: text that is no JSON is the same fault as JSON of another shape.
  }
  throw new Fault({ code: "invalid_auth_json" });
}

const show = (preview) => showPreview(form, preview);

const look = (button) =>
  busy(button, async () => show(await call("POST", `${homes.accounts}/preview`, { auth_json: read() })), error);

const save = (button) =>
  busy(
    button,
    async () => {
      const name = form.elements.name.value.trim();
      const made = await call("POST", homes.accounts, { auth_json: read(), account: renewing(), name, ...consent() });
      form.reset();
      show(null);
      await done(made.name);
    },
    error,
  );

async function take(file) {
  if (!file) return;
  if (file.size > LARGEST) {
    showError(error, new Fault({ code: "invalid_auth_json" }));
    return;
  }
  text.value = await file.text();
  show(null);
  await look($("[data-look]", form));
}

export function keepAuthFile() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("[data-save]", form).hidden) look($("[data-look]", form));
    else save($("[data-save]", form));
  });
  $("[data-save]", form).addEventListener("click", (event) => save(event.currentTarget));
  text.addEventListener("input", () => show(null));
  $("[data-file]", form).addEventListener("change", (event) => take(event.target.files[0]));
  const drop = $("[data-drop]", form);
  for (const type of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", type === "dragover");
      if (type === "drop") take(event.dataTransfer.files[0]);
    });
  }
}
