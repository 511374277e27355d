// support.mjs - a simulator, a browser, programs, and checks in the form that tools/run_tests.py reads.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const need = createRequire(resolve("build/node/") + "/");
const { chromium } = need("playwright-core");
const AXE = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");

export const USER = 350000001;
const FORM = "grant_type=client_credentials&client_id=client-id-for-tests" +
  "&client_secret=client-secret-for-tests-0123456789abcdef";

let failures = 0;

export function check(good, what, details = "") {
  console.log((good ? "ok - " : "not ok - ") + what);
  if (!good) {
    failures++;
    for (const line of (typeof details === "string" ? details : JSON.stringify(details, null, 1)).split("\n")) console.log("#   " + line);
  }
}

// What was started ends with the test, however that ends.
const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => process.exit(1));

function start(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  child.on("exit", () => children.delete(child));
  return child;
}

export const failed = () => failures !== 0;

export const pause = (ms) => new Promise((end) => setTimeout(end, ms));

export async function until(condition, ms = 8000) {
  for (const end = Date.now() + ms; Date.now() < end; await pause(20)) {
    if (await condition()) return true;
  }
  return Boolean(await condition());
}

// ---- the simulator ----

export class Simulator {
  static async start(...options) {
    const s = new Simulator();
    s.folder = mkdtempSync(join(tmpdir(), "page-"));
    s.options = options;
    await s.begin();
    return s;
  }

  async begin() {
    const file = join(this.folder, "ports");
    rmSync(file, { force: true });
    this.process = start("build/simulator.san", ["--play", "--cert", "build/certs/ec.crt", "--key", "build/certs/ec.key",
      "--ports", file, ...this.options], { stdio: ["ignore", "ignore", "inherit"] });
    if (!await until(() => existsSync(file), 10000)) throw new Error("the simulator does not start");
    this.ports = Object.fromEntries(readFileSync(file, "utf8").trim().split("\n").map((line) => line.split("=")));
    this.url = `http://localhost:${this.ports.control}`;
    this.page = `${this.url}/page/`;
  }

  async end() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async stop() {
    const ended = new Promise((end) => this.process.on("exit", end));
    this.process.kill("SIGTERM");
    const status = await ended;
    if (status !== 0) check(false, "the simulator ends in order", `status ${status}`);
  }

  // At the same places, as after a crash.
  async restart() {
    await this.stop();
    await pause(300);
    this.options = [...this.options.filter((o, i, all) => !/-port$/.test(o) && !/-port$/.test(all[i - 1] ?? "")),
      "--control-port", this.ports.control, "--tcp-port", this.ports.tcp, "--tls-port", this.ports.tls];
    await this.begin();
  }

  async ask(path, body) {
    const answer = await fetch(`${this.url}/${path}`, body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const json = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${json.error}`);
    return json;
  }

  // The service's own API, with a token.
  async api(method, path, body) {
    const base = `http://127.0.0.1:${this.ports.tcp}`;
    if (this.token === undefined) {
      const answer = await fetch(`${base}/token`, { method: "POST", body: FORM, headers: { "Content-Type": "application/x-www-form-urlencoded" } });
      this.token = (await answer.json()).access_token;
    }
    const answer = await fetch(base + path, { method, body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${this.token}`, ...(body ? { "Content-Type": "application/json" } : {}) } });
    return { status: answer.status, text: await answer.text() };
  }

  send(chat, text) {
    return this.api("POST", `/messenger/v1/accounts/${USER}/chats/${chat}/messages`, { message: { text }, type: "text" });
  }

  get environment() {
    return { ...process.env, AVITO_HOST: "localhost", AVITO_PORT: this.ports.tls, AVITO_CA_FILE: "build/certs/roots.pem",
      AVITO_CLIENT_ID: "client-id-for-tests", AVITO_CLIENT_SECRET: "client-secret-for-tests-0123456789abcdef" };
  }

  // A program of the library, with what `make play` says to export. Resolves to {status, output}.
  run(command, args, more = {}) {
    const child = start(command, args, { env: { ...this.environment, ...more } });
    let output = "";
    child.stdout.on("data", (data) => { output += data; });
    child.stderr.on("data", (data) => { output += data; });
    const ended = new Promise((end) => child.on("exit", (status) => end({ status, output })));
    return Object.assign(ended, { child });
  }
}

// ---- the browser ----

export class Browser {
  static async start() {
    const b = new Browser();
    b.browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless", "--no-sandbox",
      "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
    b.troubles = [];
    b.outside = [];
    b.slow = await b.slowness();
    return b;
  }

  // How much slower this machine is now than one that has nothing else to do, 1 at least. A round trip to a
  // page and its next frame takes 20 to 30 ms there.
  async slowness() {
    const page = await this.browser.newPage();
    const begin = Date.now();
    for (let i = 0; i < 20; i++) await page.evaluate(() => new Promise((end) => requestAnimationFrame(() => end())));
    await page.close();
    return Math.max(1, (Date.now() - begin) / 20 / 30);
  }

  // Whether it comes true within a second; on a machine that is busy, within as much more as that is slower:
  // before, meanwhile and after count, since other programs come and go. `this.took` tells how long it was, in ms.
  async inTime(condition, seconds = 1) {
    const begin = Date.now(), meanwhile = this.slowness();
    const good = await until(condition);
    const took = Date.now() - begin, late = good && took > seconds * 1000;
    const slow = Math.max(this.slow, await meanwhile, late ? await this.slowness() : 1);
    this.took = `${took} ms, and this machine is ${slow.toFixed(1)} times as slow as one at rest`;
    return good && took <= seconds * 1000 * slow;
  }

  // A window of a person of his own. What it asks for outside of this machine, and what goes wrong in the
  // page, is kept.
  async person(options = {}) {
    return this.browser.newContext({ viewport: { width: 1320, height: 820 }, locale: "ru-RU", acceptDownloads: true, ...options });
  }

  async window(context, url) {
    const page = await context.newPage();
    page.setDefaultTimeout(30000);
    page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (!["blob:", "data:"].includes(protocol) && hostname !== "localhost") this.outside.push(request.url());
    });
    page.on("console", (message) => message.type() === "error" && this.troubles.push(message.text()));
    page.on("pageerror", (error) => this.troubles.push(error.message));
    await page.goto(url);
    await page.waitForSelector(".link.live, .link.asking");
    return page;
  }

  end() {
    return this.browser.close();
  }
}

export async function axe(page) {
  await page.evaluate(AXE); // not as a script element: the page's policy forbids it
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations", "incomplete"] }));
  return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).slice(0, 4).join(" | ")}`);
}

export async function newBuyer(page, name, item = "", price = "") {
  await page.click("#new-buyer");
  await page.fill("#buyer-name", name);
  await page.fill("#item-title", item);
  await page.fill("#item-price", price);
  await page.keyboard.press("Enter");
  await page.waitForFunction((text) => document.querySelector("#talk-title").textContent === text, name);
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await page.waitForFunction((t) => [...document.querySelectorAll("#messages .mine p")].some((e) => e.textContent === t), text);
}

export const hasAnswer = (page, text) => page.evaluate((t) =>
  [...document.querySelectorAll("#messages .other p")].some((e) => e.textContent === t), text);
