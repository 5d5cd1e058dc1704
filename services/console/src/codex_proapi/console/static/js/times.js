// Moments in the reader's own clock and language: `<time data-when="ago|in|point|date|full">`.
import { $$ } from "./dom.js";
import { language, spaced, t } from "./texts.js";

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const format = (options) => new Intl.DateTimeFormat(language, options);
// One way to write a time of day, on every page and in both languages: 24 hours.
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const full = format({ dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const exact = format({ dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const date = format({ dateStyle: "medium" });
const hour = format(CLOCK);
const weekday = format({ weekday: "short", ...CLOCK });
const day = format({ month: "short", day: "numeric", ...CLOCK });
const monthDay = format({ month: "short", day: "numeric" });
const seconds = format({ ...CLOCK, second: "2-digit" });
const relatively = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
// "3 min ago", not "3 min. ago": the units of spans have no full stop either.
const relative = (count, name) => spaced(relatively.format(count, name).replace(/(?<=[a-z])\.(?= )/g, ""));
const unit = (name) => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "short" });
const units = { day: unit("day"), hour: unit("hour"), minute: unit("minute"), second: unit("second") };

// In a row of the log: 07:08:46, and Nov 29 07:08:46 where that is not today.
export function logTime(at) {
  const moment = new Date(at * 1000);
  const today = moment.toDateString() === new Date().toDateString();
  return today ? seconds.format(moment) : `${monthDay.format(moment)} ${seconds.format(moment)}`;
}
export const fullTime = (at) => full.format(new Date(at * 1000));
export const exactTime = (at) => exact.format(new Date(at * 1000));
export const dateOf = (at) => date.format(new Date(at * 1000));
export const hourOf = (milliseconds) => hour.format(new Date(milliseconds));
export const pointTime = (at, now = Date.now() / 1000) => words.point(at, now);

// "2 hr 29 min": the two largest units of a span.
export const span = (length) => spaced(spanOf(length));

function spanOf(length) {
  const whole = Math.max(0, Math.round(length));
  if (whole < 100) return units.second.format(whole);
  const minutes = Math.round(whole / MINUTE);
  if (whole < HOUR) return units.minute.format(minutes);
  const [big, small, size] = whole < DAY ? ["hour", "minute", 60] : ["day", "hour", 24];
  const count = size === 60 ? minutes : Math.round(whole / HOUR);
  const rest = count % size;
  return units[big].format(Math.floor(count / size)) + (rest ? ` ${units[small].format(rest)}` : "");
}

const words = {
  ago(at, now) {
    const past = now - at;
    if (past < 45) return t("just now");
    if (past < HOUR) return relative(-Math.round(past / MINUTE), "minute");
    if (past < DAY) return relative(-Math.round(past / HOUR), "hour");
    if (past < 30 * DAY) return relative(-Math.round(past / DAY), "day");
    return date.format(new Date(at * 1000));
  },
  in: (at, now) => (at <= now ? t("now") : t("in %(time)s", { time: span(at - now) })),
  point(at, now) {
    const moment = new Date(at * 1000);
    if (moment.toDateString() === new Date(now * 1000).toDateString()) return hour.format(moment);
    // "Thu 05:10"; Chinese, too, sets a space before the time.
    return (Math.abs(at - now) < 6 * DAY ? weekday : day).format(moment).replace(/([\u4e00-\u9fff])(?=\d\d:)/, "$1 ");
  },
  date: (at) => date.format(new Date(at * 1000)),
  full: (at) => full.format(new Date(at * 1000)),
};

export function showTimes(within = document) {
  const now = Date.now() / 1000;
  let next = 20;
  for (const time of $$("time[data-when]", within)) {
    const at = Date.parse(time.dateTime) / 1000;
    if (!Number.isFinite(at)) continue;
    const how = time.dataset.when;
    const text = words[how](at, now);
    if (time.textContent !== text) time.textContent = text;
    if (how !== "full") time.dataset.tip = full.format(new Date(at * 1000));
    if (how === "in" && at - now < 120 && at > now) next = 1;
  }
  return next;
}

export function keepTimes() {
  const next = showTimes();
  setTimeout(keepTimes, (document.hidden ? 20 : next) * 1000);
}
