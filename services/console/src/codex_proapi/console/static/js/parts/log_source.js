// Where the log's entries come from: a stream that resumes where it broke, or a poll every 5 s.
import { call, Fault } from "../api.js";
import { signedOut } from "../session.js";
import { whileVisible } from "../page_visibility.js";

const POLL = 5000, GATHER = 40;

export class LogSource {
  // `take` gets entries, oldest first; `say` the state: live, polling, paused, lost, connecting.
  constructor({ query, take, say }) {
    this.query = query;
    this.take = take;
    this.say = say;
    this.last = "";
    this.source = null;
    this.poll = 0;
    this.gathered = [];
    this.giving = 0;
    this.wanted = false;
    whileVisible({ shown: () => this.wanted && !this.source && this.open(), hidden: () => this.close() });
  }

  start() {
    this.wanted = true;
    this.open();
  }

  stop() {
    this.wanted = false;
    this.close();
  }

  open() {
    this.close();
    this.say("connecting");
    const query = this.query();
    if (this.last) query.set("after", this.last);
    const source = new EventSource(`/api/logs/stream?${query}`);
    this.source = source;
    source.addEventListener("open", () => {
      this.endPoll();
      this.say("live");
    });
    source.addEventListener("signed_out", () => {
      this.stop();
      this.say("lost");
      signedOut().then((again) => again && this.start());
    });
    source.addEventListener("log", (event) => this.gather({ id: event.lastEventId, entry: JSON.parse(event.data) }));
    source.addEventListener("error", () => this.broken(source));
  }

  // A burst of hundreds comes as one: each entry on its own would lay the page out anew.
  gather(stored) {
    this.gathered.push(stored);
    this.giving ||= setTimeout(() => {
      const entries = this.gathered;
      this.gathered = [];
      this.giving = 0;
      this.give(entries);
    }, GATHER);
  }

  give(entries) {
    const fresh = entries.filter(({ id }) => !this.last || later(id, this.last));
    if (!fresh.length) return;
    this.last = fresh.at(-1).id;
    this.take(fresh);
  }

  // The browser tries the stream again by itself, with Last-Event-ID; until then we poll.
  broken(source) {
    if (source !== this.source) return;
    this.startPoll();
    if (source.readyState === EventSource.CLOSED) {
      this.again = setTimeout(() => source === this.source && this.open(), POLL);
    }
  }

  startPoll() {
    if (this.poll) return;
    this.poll = setInterval(() => this.ask(), POLL);
    this.ask();
  }

  async ask() {
    try {
      const query = this.query();
      query.set("limit", "100");
      const { entries } = await call("GET", `/api/logs?${query}`, undefined, { background: true });
      this.give([...entries].reverse());
      if (this.poll) this.say("polling");
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      if (this.poll) this.say("lost");
      if (fault.code === "signed_out") signedOut();
    }
  }

  endPoll() {
    clearInterval(this.poll);
    this.poll = 0;
  }

  close() {
    this.endPoll();
    clearTimeout(this.again);
    clearTimeout(this.giving);
    this.gathered = [];
    this.giving = 0;
    this.source?.close();
    this.source = null;
  }
}

// Stream ids are "milliseconds-number".
export function later(id, than) {
  const [a, b] = id.split("-").map(Number);
  const [c, d] = than.split("-").map(Number);
  return a > c || (a === c && b > d);
}
