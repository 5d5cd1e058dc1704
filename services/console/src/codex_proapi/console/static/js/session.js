// A session that has ended keeps the page and asks for the password over it.
import { $ } from "./dom.js";
import { whenSignedOut } from "./api.js";

let waiting = null;

export function signedOut() {
  const dialog = $("#sign-in-again");
  if (!dialog || !("guarded" in document.documentElement.dataset)) {
    location.reload();
    return Promise.resolve(false);
  }
  waiting ||= new Promise((resolve) => {
    if (!dialog.open) dialog.showModal();
    dialog.addEventListener(
      "close",
      () => {
        waiting = null;
        resolve(dialog.returnValue === "done");
      },
      { once: true },
    );
  });
  return waiting;
}

whenSignedOut(signedOut);
