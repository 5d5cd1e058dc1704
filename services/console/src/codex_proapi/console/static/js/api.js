// Calls of the console's JSON API. A refusal becomes a Fault with its code; a session that has
// ended asks for the password over the page and then repeats the call.
import { $ } from "./dom.js";
import { faultTexts, sentences, t } from "./texts.js";
import { span } from "./times.js";

const LONG_WAIT = 10; // seconds; a shorter wait is over before it is read

export class Fault extends Error {
  constructor({ code = "internal", message = "", param = "", status = 0, requestId = "", retryAfter = 0 }) {
    super(message || code);
    this.code = code;
    this.param = param;
    this.status = status;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }

  // What happened, what to do, and what to quote when asking for help.
  describe() {
    const { what, cure } = faultTexts(this.code);
    const trace = [this.code, this.param, this.requestId].filter(Boolean).join(" · ");
    const wait = this.retryAfter >= LONG_WAIT && t("Try again in %(time)s.", { time: span(this.retryAfter) });
    return sentences(what || this.message || t("Something went wrong."), wait || cure, `(${trace})`);
  }
}

let askForPassword = null;
export function whenSignedOut(ask) {
  askForPassword = ask;
}

// `background` is for what the page asks by itself, so that it does not keep a session alive.
export async function call(method, path, body, { again = true, background = false } = {}) {
  const headers = { accept: "application/json" };
  if (background) headers["x-passive"] = "1";
  if (method !== "GET") headers["x-csrf-token"] = csrf();
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Fault({ code: "offline" });
  }
  const content = await readJson(answer);
  if (answer.ok) {
    if (content?.csrf_token) $('meta[name="csrf"]').content = content.csrf_token;
    return content;
  }
  const fault = faultOf(answer, content);
  if (fault.code === "signed_out" && again && askForPassword && (await askForPassword())) {
    return call(method, path, body, { again: false });
  }
  if (fault.code === "owner_signed_out") location.reload();
  // Another tab has signed in anew, so this page's token is of a session that has gone.
  if (fault.code === "csrf" && again) {
    await call("GET", document.documentElement.dataset.session || "/api/session");
    return call(method, path, body, { again: false });
  }
  throw fault;
}

const csrf = () => $('meta[name="csrf"]').content;

export function faultOf(answer, content) {
  const error = (content && content.error) || {};
  return new Fault({
    code: error.code || (answer.status === 404 ? "not_found" : "internal"),
    message: error.message,
    param: error.param || "",
    status: answer.status,
    requestId: answer.headers.get("x-request-id") || "",
    retryAfter: Number(answer.headers.get("retry-after")) || 0,
  });
}

async function readJson(answer) {
  if (!(answer.headers.get("content-type") || "").includes("json")) return null;
  try {
    return await answer.json();
  } catch {
    return null;
  }
}
