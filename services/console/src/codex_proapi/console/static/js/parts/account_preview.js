// What an auth.json or a token would add, in its form; null hides it.
import { $ } from "../dom.js";
import { renewing } from "../pages/logins.js";
import { fullTime } from "../times.js";

export function showPreview(form, preview) {
  $("[data-preview]", form).hidden = !preview;
  $("[data-save]", form).hidden = !preview;
  $("[data-look]", form).hidden = Boolean(preview);
  const exists = Boolean(preview && document.getElementById(`row-${preview.id}`));
  $("[data-preview-name]", form).hidden = !preview || exists || Boolean(renewing());
  $("[data-preview-exists]", form).hidden = !exists;
  $("[data-preview-no-refresh]", form).hidden = !preview || preview.renewable || preview.kind === "personal_token";
  if (!preview) return;
  const values = { ...preview, expires: preview.expires_at ? fullTime(preview.expires_at) : "–" };
  for (const place of form.querySelectorAll("[data-preview-value]")) {
    place.textContent = values[place.dataset.previewValue] || "–";
  }
}
