// Requests to the gateway as a client sends them, from this page: same address, same key check.
import { $ } from "../dom.js";
import { Fault, faultOf } from "../api.js";

const baseUrl = () => $("#base-url").textContent;
const sameHost = () => new URL(baseUrl()).host === location.host;

// The gateway's address for this page: its own host, or the Base URL, which the browser may refuse.
export const address = (path) => (sameHost() ? `${new URL(baseUrl()).pathname.replace(/\/$/, "")}${path}` : `${baseUrl()}${path}`);
export const key = () => $("#key").value.trim();
export const model = () => $("#model").value;

export async function ask(path, { method = "GET", body } = {}) {
  if (!key() && "needed" in $("#key").dataset) throw new Fault({ code: "key_missing" });
  const headers = { authorization: `Bearer ${key() || "any"}` };
  if (body) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(path), { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Fault({ code: sameHost() ? "offline" : "other_host" });
  }
  if (answer.ok) return answer;
  const content = await answer.json().catch(() => null);
  const fault = faultOf(answer, content);
  fault.code = meaningOf(content?.error) || fault.code;
  throw fault;
}

// The gateway shares two codes with OpenAI, where they are about one account.
function meaningOf({ code = "", type = "" } = {}) {
  if (code === "insufficient_quota") return "key_limited";
  return code === "rate_limit_exceeded" && type === "usage_limit_reached" ? "pool_spent" : code;
}

// Streams one chat answer; `say` gets each piece. Gives what it cost, if told.
export async function chat(messages, say) {
  const body = { model: model(), messages, stream: true, stream_options: { include_usage: true } };
  const answer = await ask("/chat/completions", { method: "POST", body });
  let usage = null;
  for await (const data of events(answer.body)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Fault({ code: meaningOf(chunk.error), message: chunk.error.message, requestId: answer.headers.get("x-request-id") || "" });
    const delta = chunk.choices?.[0]?.delta || {};
    if (delta.content) say(delta.content);
    usage = chunk.usage || usage;
  }
  return { usage, requestId: answer.headers.get("x-request-id") || "" };
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6).trimEnd();
  }
}
