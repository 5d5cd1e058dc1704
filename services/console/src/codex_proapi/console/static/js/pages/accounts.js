// The list of accounts and one account: the dialog of ways to add one, sorting, the test.
import { $, on } from "../dom.js";
import { call } from "../api.js";
import { busy } from "../ui/actions.js";
import { refreshNow } from "../live.js";
import { forgetSaid, keepAdding } from "./adding.js";
import { showStep } from "../parts/test_steps.js";
import { t, tn } from "../texts.js";
import { fullTime } from "../times.js";

keepAdding();

for (const [name, place] of [["sort", "[data-sort]"], ["owner", "[data-owner]"]]) {
  $(place)?.addEventListener("change", (event) => {
    const url = new URL(location.href);
    url.searchParams.set(name, event.target.value);
    url.searchParams.delete("page");
    history.replaceState(null, "", url);
    refreshNow();
  });
}

const names = {
  connection: t("Connection to OpenAI"), token: t("Token"), models: t("Models"), quota: t("Quota"), answer: t("A short answer"),
};

// What a step has found, in words.
function noteOf({ host, expires_at: end, models, plan, model, proxy }) {
  if (models !== undefined) return tn("%(num)s model", "%(num)s models", models);
  return end ? t("ends %(time)s", { time: fullTime(end) }) : host || plan || model || proxy || "";
}

on("click", "[data-test]", (button) =>
  busy(button, async () => {
    const list = $("#test-steps");
    list.replaceChildren();
    const { steps } = await call("POST", button.dataset.test, { answer: "answer" in button.dataset });
    for (const step of steps) {
      showStep(list, { ...step, ok: step.passed, title: names[step.name] || step.name, note: noteOf(step.facts) });
    }
  }),
);

forgetSaid();
