// One way to add an account: a personal access token; looked at first, then saved.
import { $ } from "../dom.js";
import { call } from "../api.js";
import { busy } from "../ui/actions.js";
import { consent, done, homes, renewing } from "./logins.js";
import { showPreview } from "../parts/account_preview.js";

const form = $('form[data-way="access_token"]');
const error = $("[data-error]", form);

// The token and the end of its last day, by the browser's time zone.
function body() {
  const day = form.elements.expires.value;
  const ends = day ? Math.floor(new Date(`${day}T23:59:59`).getTime() / 1000) : null;
  return { access_token: form.elements.access_token.value.trim(), expires_at: ends };
}

const look = (button) =>
  busy(button, async () => showPreview(form, await call("POST", `${homes.accounts}/preview`, body())), error);

const save = (button) =>
  busy(
    button,
    async () => {
      const name = form.elements.name.value.trim();
      const made = await call("POST", homes.accounts, { ...body(), account: renewing(), name, ...consent() });
      forget();
      await done(made.name);
    },
    error,
  );

function forget() {
  form.reset();
  showPreview(form, null);
}

export function keepPersonalToken() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("[data-save]", form).hidden) look($("[data-look]", form));
    else save($("[data-save]", form));
  });
  $("[data-save]", form).addEventListener("click", (event) => save(event.currentTarget));
  for (const name of ["access_token", "expires"]) {
    form.elements[name].addEventListener("input", () => showPreview(form, null));
  }
  form.closest("dialog").addEventListener("close", forget);
}
