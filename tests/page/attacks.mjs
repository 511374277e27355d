// attacks.mjs - what another site, open in the same browser, can do: nothing.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { Simulator, check, pause } from "./support.mjs";

const { chromium } = createRequire(resolve("build/node/") + "/")("playwright-core");

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEUlEQVR4nGMwmBBgMCGAAUIBAByQA8FSnH7QAAAAAElFTkSuQmCC";

// The other site: any path gives this page, whose script is what the test says.
function otherSite() {
  const server = createServer((request, answer) => {
    answer.setHeader("Content-Type", "text/html");
    answer.end("<!doctype html><title>other</title><p>other</p>");
  });
  return new Promise((end) => server.listen(0, "127.0.0.1", () => end(server)));
}

const ATTACKS = {
  "a POST with text": (url) => fetch(`${url}/chat`, { method: "POST", mode: "no-cors", body: "{}" }).then((r) => r.type, () => "refused"),
  "a POST with JSON": (url) => fetch(`${url}/chat`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }).then((r) => `got ${r.status}`, () => "refused"),
  "a beacon": (url) => navigator.sendBeacon(`${url}/reset`, new Blob(["{}"], { type: "text/plain" })),
  "a beacon with JSON": (url) => { try { return navigator.sendBeacon(`${url}/reset`, new Blob(["{}"], { type: "application/json" })); } catch { return "refused"; } },
  "a form": (url) => new Promise((end) => {
    const frame = document.createElement("iframe");
    frame.name = "there";
    const form = Object.assign(document.createElement("form"), { action: `${url}/message`, method: "post", enctype: "text/plain", target: "there" });
    form.append(Object.assign(document.createElement("input"), { name: "{\"chat_id\":\"x", value: "\",\"text\":\"y\"}" }));
    document.body.append(frame, form);
    form.submit();
    setTimeout(() => end("sent"), 300);
  }),
  "reading the state": (url) => fetch(`${url}/state`).then((r) => r.text(), () => "refused"),
  "reading it without CORS": (url) => fetch(`${url}/state`, { mode: "no-cors" }).then((r) => r.text(), () => "refused"),
  "listening": (url) => new Promise((end) => {
    const source = new EventSource(`${url}/events`);
    source.onopen = () => end("opened");
    source.onerror = () => end("refused");
  }),
  "a script": (url) => new Promise((end) => {
    const script = Object.assign(document.createElement("script"), { src: `${url}/state`, onload: () => end("loaded"), onerror: () => end("refused") });
    document.head.append(script);
  }),
  "a picture": (url, picture) => new Promise((end) => {
    Object.assign(new Image(), { src: `${url}/media/${picture}`, onload: () => end("loaded"), onerror: () => end("refused") });
  }),
  "a frame": (url) => new Promise((end) => {
    const frame = Object.assign(document.createElement("iframe"), { src: `${url}/page/` });
    document.body.append(frame);
    setTimeout(() => { try { end(frame.contentWindow.document.title || "refused"); } catch { end("refused"); } }, 500);
  }),
  "a window": (url) => {
    const other = window.open(`${url}/page/`);
    return new Promise((end) => setTimeout(() => { try { end(other.document.title); } catch { end("refused"); } }, 700));
  },
};

async function fromOutside(sim, browser, site, what, picture) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(site);
  const before = JSON.stringify(await sim.ask("store")) + (await sim.ask("chats")).chats.length;
  for (const [name, attack] of Object.entries(ATTACKS)) {
    const result = await page.evaluate(`(${attack})(${JSON.stringify(sim.url)}, ${JSON.stringify(picture)})`);
    const leaked = typeof result === "string" && /user_id|Вы — покупатель|Play the buyer|opened|loaded|got 2/.test(result);
    check(!leaked, `${what}: ${name} learns nothing`, result);
  }
  await pause(300);
  const after = JSON.stringify(await sim.ask("store")) + (await sim.ask("chats")).chats.length;
  check(before === after, `${what}: and nothing has changed`);
  await context.close();
}

export async function main() {
  const sim = await Simulator.start("--chats", "2");
  const server = await otherSite();
  const port = server.address().port;
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1"] });
  const { media_id } = await sim.ask("media", { data: PNG });
  const own = await (await browser.newContext()).newPage();
  await own.goto(sim.page);
  check(await own.evaluate(`(${ATTACKS["a picture"]})("", ${JSON.stringify(media_id)})`) === "loaded", "the page itself sees a picture");
  await fromOutside(sim, browser, `http://evil.example:${port}/`, "another site", media_id);
  await fromOutside(sim, browser, `http://localhost:${port}/`, "another program of this machine", media_id);

  // A name of the attacker's that points here: for the browser it is the simulator's own origin.
  const page = await (await browser.newContext()).newPage();
  const answer = await page.goto(`http://evil.example:${sim.ports.control}/page/`);
  check(answer.status() === 403, "a name that is not ours gets no page", answer.status());
  const seen = await page.evaluate(async () => [(await fetch("/state")).status,
    (await fetch("/chat", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })).status].join());
  check(seen === "403,403", "nor anything else", seen);
  check((await sim.ask("chats")).chats.length === 2, "and nothing has changed");
  await browser.close();
  server.close();
  await sim.end();
}
