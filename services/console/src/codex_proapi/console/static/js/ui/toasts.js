// Short messages at the foot of the page, read aloud politely; one may carry an undo.
import { $, el } from "../dom.js";

export function toast(text, { label = "", act = null, seconds = 5 } = {}) {
  const box = $("#toasts");
  const made = el("div", { class: "toast" }, el("span", {}, text));
  const gone = () => made.remove();
  if (label) {
    const button = el("button", { type: "button", class: "button small" }, label);
    button.addEventListener("click", () => {
      gone();
      act();
    });
    made.append(button);
  }
  box.append(made);
  while (box.childElementCount > 3) box.firstElementChild.remove();
  setTimeout(gone, seconds * 1000);
}
