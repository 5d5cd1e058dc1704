// Four charts of the traffic, each also as a table. uPlot is fetched only where a chart is.
import { $, $$, el } from "../dom.js";
import { compact, duration, language, numbers, t } from "../texts.js";

const base = import.meta.url.replace(/js\/parts\/.*/, "");
const small = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });

// For each chart: its series as [label, colour, value of a slot, is a line].
const charts = {
  requests: [[t("Requests"), 1, (slot) => slot.requests]],
  tokens: [
    [t("All tokens"), 1, (slot) => slot.input + slot.output],
    [t("Input from the cache"), 2, (slot) => slot.cached],
  ],
  first_byte: [[t("Mean"), 4, (slot) => slot.first_byte_ms, true]],
  errors: [[t("Errors"), 3, (slot) => slot.errors]],
};

let drawn = [];
let library = null;

export async function draw(points, range) {
  library ||= load();
  await library;
  for (const plot of drawn) plot.destroy();
  drawn = [];
  const colours = palette();
  const step = points.length > 1 ? points[1].at - points[0].at : 300;
  for (const figure of $$("[data-chart]")) {
    const series = charts[figure.dataset.chart];
    const columns = series.map(([, , value]) => points.map(value));
    const place = $("[data-plot]", figure);
    place.replaceChildren();
    fillTable($(".chart-table", figure), points, series, columns, range);
    if (columns.every((column) => column.every((value) => !value))) {
      place.append(el("p", { class: "chart-none" }, t("Nothing in this time.")));
    } else {
      drawn.push(new uPlot(options(series, colours, place, range, step), [points.map((p) => p.at), ...columns], place));
    }
  }
}

function load() {
  document.head.append(el("link", { rel: "stylesheet", href: `${base}vendor/uPlot-1.6.32.min.css` }));
  const script = el("script", { src: `${base}vendor/uPlot-1.6.32.min.js` });
  document.head.append(script);
  return new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("uPlot")));
  });
}

// Colours as the page has them now: a probe, because light-dark() is resolved only in use.
function palette() {
  const probe = el("span", { hidden: true });
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = { line: colour("line"), text: colour("muted"), series: [1, 2, 3, 4].map((n) => colour(`series-${n}`)) };
  probe.remove();
  return found;
}

const faded = (colour, share) => colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);

// A span of milliseconds on a line, else a count.
const figure = (value, line) => (line ? duration(value) : numbers.format(value));

function options(series, colours, place, range, step) {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colours.text, font, ticks: { show: false } };
  return {
    width: place.clientWidth,
    height: 150,
    padding: [10, 18, 0, 0],
    cursor: { y: false, drag: { setScale: false }, points: { size: 6 } },
    legend: { live: true },
    scales: { x: { time: true, range: (_, low, high) => [low - step / 2, high + step / 2] }, y: { range: (_, low, high) => [0, Math.max(high * 1.08, 1e-3)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 74, values: (_, at) => at.map((moment) => tick(moment, range)) },
      { ...axis, size: series[0][3] ? 58 : 46, grid: { stroke: colours.line, width: 1 }, values: (_, values) => values.map((v) => (series[0][3] ? duration(v) : (v < 1 ? small : compact).format(v))), space: 36 },
    ],
    series: [
      { label: t("Time"), value: (_, at) => (at ? moment(at, range) : "") },
      ...series.map(([label, colour, , line]) => ({
        label,
        stroke: colours.series[colour - 1],
        fill: line ? undefined : faded(colours.series[colour - 1], series.length > 1 && colour === 1 ? 0.35 : 0.75),
        width: line ? 2 : 0,
        spanGaps: false,
        paths: line ? undefined : uPlot.paths.bars({ size: [0.72, 22], radius: 0.15 }),
        points: { show: Boolean(line), size: 5 },
        value: (plot, value) => (plot.cursor.idx === null || plot.cursor.idx === undefined ? "" : value === null || value === undefined ? "–" : figure(value, line)),
      })),
    ],
  };
}

const short = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const formats = {
  tick: { "24h": short, "7d": { month: "numeric", day: "numeric" } },
  moment: { "7d": { weekday: "short", month: "numeric", day: "numeric", ...short } },
};
const shown = (kind, range) => new Intl.DateTimeFormat(language, formats[kind][range] || short);
const tick = (at, range) => shown("tick", range).format(new Date(at * 1000));
const moment = (at, range) => shown("moment", range).format(new Date(at * 1000));

function fillTable(place, points, series, columns, range) {
  const head = el("tr", {}, el("th", { scope: "col" }, t("Time")), ...series.map(([label]) => el("th", { scope: "col", class: "num" }, label)));
  const rows = points
    .map((point, at) => ({ point, values: columns.map((column) => column[at]) }))
    .filter(({ values }) => values.some(Boolean))
    .reverse()
    .map(({ point, values }) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, moment(point.at, range)),
        ...values.map((value, n) => el("td", { class: "num" }, value === null ? "–" : figure(value, series[n][3]))),
      ),
    );
  if (!rows.length) rows.push(el("tr", {}, el("td", { colspan: String(series.length + 1) }, t("Nothing in this time."))));
  place.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)));
}

export function resize() {
  for (const plot of drawn) {
    const width = plot.root.parentElement.clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
  }
}
