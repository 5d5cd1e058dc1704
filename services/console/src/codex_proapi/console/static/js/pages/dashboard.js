// The dashboard: its charts, in the chosen range, drawn again when something was counted.
import { $, $$, on } from "../dom.js";
import { call, Fault } from "../api.js";
import { textOf } from "../ui/actions.js";
import { whenRefreshed } from "../live.js";
import { draw, resize } from "../parts/charts.js";

let range = $('[data-span][aria-pressed="true"]')?.dataset.span || "24h";
let last = "";

async function show() {
  try {
    const usage = await call("GET", `/api/series?span=${range}`, undefined, { background: true });
    const seen = $("#charts").clientWidth > 0;
    const key = JSON.stringify(usage.points) + range + seen;
    if (seen && key !== last) await draw(usage.points, range);
    last = key;
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    for (const place of $$("[data-plot]")) place.textContent = textOf(fault);
  }
}

on("click", "[data-span]", (button) => {
  range = button.dataset.span;
  for (const other of $$("[data-span]")) other.setAttribute("aria-pressed", String(other === button));
  const url = new URL(location.href);
  url.searchParams.set("span", range);
  history.replaceState(null, "", url);
  show();
});

on("click", "[data-table]", (button) => {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  document.getElementById(button.getAttribute("aria-controls")).hidden = !open;
});

const again = () => {
  last = "";
  show();
};
addEventListener("themechange", again);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
new ResizeObserver(resize).observe($("#charts"));
whenRefreshed(show);
await show();
