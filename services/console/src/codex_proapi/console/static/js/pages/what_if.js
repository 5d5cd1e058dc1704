// Asks again while the answer is worked on.
import { $ } from "../dom.js";
import { refreshNow } from "../live.js";

const AGAIN = 1500;

function look() {
  if ($("[data-working]")) setTimeout(() => refreshNow().finally(look), AGAIN);
}
look();
