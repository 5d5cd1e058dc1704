// A small conversation to try a model; it stays in this page.
import { $, el } from "../dom.js";
import { textOf } from "../ui/actions.js";
import { Fault } from "../api.js";
import { chat } from "./gateway_client.js";

let messages = [];

async function send(form) {
  const input = $("#chat-text");
  const text = input.value.trim();
  const button = $("button", form);
  if (!text || button.disabled) return;
  const log = $("#chat-log");
  $(".chat-empty", log)?.setAttribute("hidden", "");
  log.append(el("p", { class: "chat-line mine" }, text));
  const line = el("p", { class: "chat-line" }, el("span", { class: "spinner" }));
  log.append(line);
  log.scrollTop = log.scrollHeight;
  input.value = "";
  button.disabled = true;
  messages.push({ role: "user", content: text });
  let answer = "";
  try {
    await chat(messages, (piece) => {
      answer += piece;
      line.textContent = answer;
      log.scrollTop = log.scrollHeight;
    });
    messages.push({ role: "assistant", content: answer });
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    messages.pop();
    if (!answer) line.remove();
    log.append(el("p", { class: "chat-line failed" }, textOf(fault)));
    input.value = text;
  } finally {
    button.disabled = false;
    log.scrollTop = log.scrollHeight;
    input.focus();
  }
}

export function keepChat() {
  const form = $("#chat-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  $("#chat-text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send(form);
  });
  $("#chat-clear").addEventListener("click", () => {
    messages = [];
    const log = $("#chat-log");
    for (const line of log.querySelectorAll(".chat-line")) line.remove();
    $(".chat-empty", log).hidden = false;
  });
}
