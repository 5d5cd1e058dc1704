// Connect: snippets filled with the chosen model and key, a test request, a small chat.
import { $, $$ } from "../dom.js";
import { busy, textOf } from "../ui/actions.js";
import { Fault } from "../api.js";
import { choose } from "../ui/controls.js";
import { numbers, t, tn } from "../texts.js";
import { takeHandedOver } from "../parts/key_handover.js";
import { address, ask, chat, model } from "../parts/gateway_client.js";
import { keepChat } from "../parts/chat.js";
import { showStep } from "../parts/test_steps.js";

const keyInput = $("#key");
const placeholder = $('[data-fill="key"]')?.textContent || "";

function fill() {
  for (const slot of $$('[data-fill="model"]')) slot.textContent = model();
  for (const slot of $$('[data-fill="key"]')) slot.textContent = keyInput.value.trim() || placeholder;
}

keyInput.value = takeHandedOver();
keyInput.addEventListener("input", fill);
$("#model").addEventListener("change", fill);
fill();

// The chosen client stays in the address, so that a link can be passed on.
const wanted = new URL(location.href).searchParams.get("client");
const tab = wanted && document.getElementById(`tab-${wanted}`);
if (tab) choose(tab);
$(".client-tabs").addEventListener("chosen", (event) => {
  const url = new URL(location.href);
  url.searchParams.set("client", event.target.id.replace("tab-", ""));
  history.replaceState(null, "", url);
});

const list = $("#test-steps");

async function step(title, action) {
  const began = performance.now();
  try {
    const note = await action();
    showStep(list, { title, ok: true, milliseconds: performance.now() - began, note });
    return true;
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const failed = { title, ok: false, milliseconds: performance.now() - began, code: fault.code };
    showStep(list, { ...failed, message: textOf(fault) });
    return false;
  }
}

async function test() {
  list.replaceChildren();
  let models = [];
  const listed = await step(t("Address and key"), async () => {
    const answer = await ask("/models");
    models = (await answer.json()).data.map((each) => each.id);
    return address("/models");
  });
  if (!listed) return;
  // Names that stand for another model are not listed and work all the same.
  await step(t("Models"), async () => tn("%(num)s model is offered", "%(num)s models are offered", models.length));
  let first = 0;
  const began = performance.now();
  let said = "";
  await step(t("Answer"), async () => {
    const { usage, requestId } = await chat([{ role: "user", content: "Say OK." }], (piece) => {
      first ||= performance.now() - began;
      said += piece;
    });
    if (!said) throw new Fault({ code: "upstream_empty_answer", requestId });
    const parts = [t("first word after %(time)s ms", { time: numbers.format(Math.round(first)) })];
    if (usage) parts.push(tn("%(num)s token", "%(num)s tokens", usage.total_tokens));
    return `“${said.trim().slice(0, 80)}” · ${parts.join(" · ")} · ${requestId}`;
  });
}

$("#run-test").addEventListener("click", (event) => busy(event.currentTarget, test));
keepChat();
