// service.js - talks to the control side of the simulator (its "/" explains it): asks, and takes
// its events.

// Both resolve to the answer, or reject with the reason that the simulator gave.
export function get(path, values = {}) {
  return ask(path + (Object.keys(values).length ? "?" + new URLSearchParams(values) : ""));
}

export function post(path, body = {}) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => { throw new Error("the simulator does not answer"); });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
  return answer;
}

export async function base64(blob) {
  const url = await new Promise((good, bad) => {
    const reader = new FileReader();
    reader.onload = () => good(reader.result);
    reader.onerror = () => bad(reader.error);
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}

const ASK_MS = 1000;    // between two questions, if events do not come through
const AGAIN_MS = 20000; // then events are tried again
const OPEN_MS = 4000;   // how long events may take to begin

// Calls takeState(state) at the start and whenever the simulator has restarted, takeEvent(name,
// data) for each event in between, in order and once, and takeLink("live" | "asking" | "lost").
//
// A browser opens six connections to a host, and each stream of events holds one. So only one of
// this browser's pages listens, and tells the others.
export class Live {
  constructor(takeState, takeEvent, takeLink) {
    Object.assign(this, { takeState, takeEvent, takeLink, run: "", last: 0, queue: Promise.resolve() });
    this.channel = new BroadcastChannel("simulator");
    this.channel.onmessage = (message) => this.then(() => this.hear(message.data));
  }

  async start() {
    await this.then(() => this.load());
    if (!navigator.locks) return this.lead(); // no secure context: another name than localhost
    this.follow();
    navigator.locks.request("simulator-events", () => this.lead());
  }

  // One thing after the other: nothing may overtake a step that waits for an answer.
  then(what) {
    const result = this.queue.then(what);
    this.queue = result.catch(() => {});
    return result;
  }

  // ---- state and events ----

  async load() {
    for (;;) {
      try {
        const state = await get("/state");
        [this.run, this.last] = placeOf(state.id);
        this.takeState(state);
        this.takeLink("live");
        return;
      } catch {
        this.takeLink("lost");
        await pause(ASK_MS);
      }
    }
  }

  // An event {id, name, data} from wherever it came.
  async hear(event) {
    if (event.link) return this.takeLink(event.link);
    const [run, number] = placeOf(event.id);
    if (run !== this.run || (event.name === "reset" && number !== this.last)) return this.load();
    if (number === this.last + 1) {
      this.last = number;
      this.takeEvent(event.name, event.data);
    } else if (number > this.last) {
      await this.catchUp();
    }
  }

  async catchUp() {
    const changes = await get("/changes", { after: `${this.run}-${this.last}` });
    if (changes.reset) return this.load();
    [, this.last] = placeOf(changes.id);
    for (const event of changes.events) this.takeEvent(event.event, event.data);
  }

  // ---- which page listens ----

  link(word) {
    this.takeLink(word);
    this.channel.postMessage({ link: word });
  }

  // The other pages check now and then whether they have missed something.
  async follow() {
    for (;;) {
      await pause(AGAIN_MS);
      if (this.leads) return;
      await this.then(() => this.catchUp()).catch(() => this.takeLink("lost"));
    }
  }

  async lead() {
    this.leads = true;
    for (;;) {
      await this.listen();
      await this.ask();
    }
  }

  // Runs until events stop coming.
  listen() {
    return new Promise((end) => {
      const source = new EventSource(`/events?after=${this.run}-${this.last}`);
      const stop = () => {
        clearTimeout(late);
        source.close();
        end();
      };
      const late = setTimeout(stop, OPEN_MS);
      source.onopen = () => {
        clearTimeout(late);
        this.link("live");
      };
      source.onerror = stop;
      for (const name of EVENTS) {
        source.addEventListener(name, (e) => {
          const event = { id: e.lastEventId, name, data: JSON.parse(e.data) };
          this.channel.postMessage(event);
          this.then(() => this.hear(event)).catch(stop);
        });
      }
    });
  }

  // Asks for a while; if the simulator was away, until it is back.
  async ask() {
    let lost = false;
    for (const end = Date.now() + AGAIN_MS; Date.now() < end; await pause(ASK_MS)) {
      try {
        await this.then(() => this.catchUp());
        this.link("asking");
        if (lost) return;
      } catch {
        lost = true;
        this.link("lost");
      }
    }
  }
}

const EVENTS = ["reset", "chat", "message", "request", "webhook", "subscriptions", "tokens", "faults",
  "options", "story"];

// "RUN-NUMBER"
function placeOf(id) {
  const at = id.lastIndexOf("-");
  return [id.slice(0, at), Number(id.slice(at + 1))];
}

export function pause(ms) {
  return new Promise((end) => setTimeout(end, ms));
}
