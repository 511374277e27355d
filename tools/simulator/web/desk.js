// desk.js - shows what the program does: requests, webhooks, tokens; faults; stories.
import { attempt, readIfSeen } from "./chats.js";
import { by, make, theirs } from "./make.js";
import { get, post } from "./service.js";
import { clock, reason, say, span } from "./words.js";

const KEPT = 200; // rows of a list

let state = null; // what came with /state, kept up to date

// ---------------------------------------------------------------- requests

function statusKind(status) {
  return status === 0 ? "bad" : status < 300 ? "good" : status < 500 ? "warn" : "bad";
}

function requestRow(r) {
  const what = r.operation === "none" ? r.method || say("notHttp") : r.operation;
  const summary = make("summary", {},
    make(`span.status.${statusKind(r.status)}`, {}, r.status === 0 ? say("noAnswer") : String(r.status)),
    make("span.what", {}, what), r.fault ? make("span.mark", {}, say("fault")) : null,
    make("time", {}, clock(r.at_ms, true)),
    make("small", {}, theirs(`${r.method} ${r.target}`), r.delay_ms ? ` · ${say("delayed", { n: r.delay_ms })}` : null));
  const details = make("details", {}, summary);
  details.ontoggle = () => details.open && showBodies(details, r.number);
  return make("li", { data: { number: r.number } }, details);
}

// JSON in readable lines, with letters in place of escapes; anything else unchanged.
function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text || say("empty");
  }
}

async function showBodies(details, number) {
  if (details.children.length > 1) return;
  const both = await attempt(get("/request", { number }));
  if (both === null) return;
  details.append(make("div.bodies", {},
    make("h3", {}, say("request")), make("pre", { tabIndex: 0 }, readable(both.request)),
    make("h3", {}, say("answer")), make("pre", { tabIndex: 0 }, readable(both.answer)),
    both.cut ? make("p", {}, say("cut")) : null));
}

function takeRequest(r) {
  const list = by("request-list");
  list.prepend(requestRow(r));
  while (list.children.length > KEPT) list.lastChild.remove();
  state.requests.push(r);
  if (state.requests.length > KEPT) state.requests.shift();
  const token = state.tokens.find((t) => t.number === r.token);
  if (token) token.uses = r.token_uses;
  if (!by("tokens").hidden) showTokens();
  by("no-requests").hidden = true;
  by("desk-news").hidden = by("desk-toggle").getAttribute("aria-expanded") === "true";
}

// ---------------------------------------------------------------- webhooks

function hookRow(h) {
  const kind = { done: "good", failed: "bad", given_up: "bad" }[h.step] ?? "warn";
  return make("li", { data: { id: h.id } },
    make(`span.status.${kind}`, {}, h.status ? String(h.status) : say(h.step)),
    make("span.what", {}, h.status ? say(h.step) : theirs(h.url)),
    make("time", {}, clock(h.at_ms, true)),
    make("small", {}, theirs(h.url), h.attempt ? ` · ${say("attempt", { n: h.attempt })}` : null,
      h.message_id ? ` · ${h.message_id.slice(0, 8)}` : null));
}

function takeHook(h) {
  const list = by("hook-list");
  const old = list.querySelector(`[data-id="${Number(h.id)}"]`);
  if (old) old.replaceWith(hookRow(h));
  else list.prepend(hookRow(h));
  while (list.children.length > KEPT) list.lastChild.remove();
  state.webhooks = [...state.webhooks.filter((one) => one.id !== h.id), h].slice(-KEPT);
  by("no-hooks").hidden = true;
}

function takeSubscriptions(urls) {
  by("subscription-list").replaceChildren(...urls.map((url) => make("li", {}, theirs(url))));
  by("no-subscriptions").hidden = urls.length !== 0;
}

// ---------------------------------------------------------------- tokens

function tokenRow(t) {
  const left = t.expires_ms - Date.now();
  const word = t.revoked ? "tokenRevoked" : left <= 0 ? "tokenExpired" : "tokenGood";
  return make("li", {},
    make(`span.status.${word === "tokenGood" ? "good" : "bad"}`, {}, say(word)),
    make("span.what", {}, say("token", { n: t.number })),
    make("small", {}, [say("tokenAge", { n: span(Date.now() - t.issued_ms) }),
      word === "tokenGood" ? say("tokenLeft", { n: span(left) }) : "",
      say("tokenUses", { n: t.uses }), t.scope].filter(Boolean).join(" · ")));
}

function showTokens() {
  by("token-list").replaceChildren(...state.tokens.map(tokenRow).reverse());
  by("no-tokens").hidden = state.tokens.length !== 0;
}

// ---------------------------------------------------------------- faults

const OPERATIONS = ["*", "send_message", "get_chats", "get_messages", "mark_chat_as_read", "upload_image",
  "send_image_message", "get_chat", "get_self", "get_voice_files", "delete_message", "subscribe_webhook", "token"];
const COUNTS = [1, 3, 10, 0];
const FAULTS = [["tooMany", "status=429"], ["serverError", "status=500"], ["unavailable", "status=503"],
  ["storedNoAnswer", "stored_no_answer"], ["lostRequest", "no_answer"], ["cutAnswer", "cut=120"],
  ["slow", "delay=5000"], ["firewall", "body=firewall"]];
// name in words.js, option, value when on, value when off
const SWITCHES = [["noTariff", "tariff", 1, 0], ["hookLate", "webhook_delay_ms", 10000, 0],
  ["hookTwice", "webhook_copies", 2, 1], ["showLate", "visible_after_ms", 5000, 0],
  ["tightRate", "rate_per_minute", 10, 0]];

function plan(fault) {
  attempt(post("/fault", { plan: `${by("fault-operation").value}:${fault}:${by("fault-count").value}` }));
}

function buildFaults() {
  const keep = [by("fault-operation").value || "*", by("fault-count").value || "1"];
  by("fault-operation").replaceChildren(...OPERATIONS.map((op) => make("option", { value: op }, op === "*" ? say("anyCall") : op)));
  by("fault-count").replaceChildren(...COUNTS.map((n) => make("option", { value: n }, n === 0 ? say("always") : `${n}`)));
  [by("fault-operation").value, by("fault-count").value] = keep;
  by("fault-buttons").replaceChildren(
    ...FAULTS.map(([word, fault]) => make("button", { type: "button", onclick: () => plan(fault), data: { fault } }, say(word))),
    make("button", { type: "button", onclick: () => attempt(post("/tokens", { do: "expire" })), data: { fault: "expire" } }, say("expireNow")));
  by("switches").replaceChildren(...SWITCHES.map(([word, option, on, off]) => {
    const box = make("input", { type: "checkbox", data: { option } });
    box.onchange = () => attempt(post("/option", { [option]: box.checked ? on : off }));
    return make("label.switch", {}, box, make("span", {}, say(word)));
  }));
}

function showOptions() {
  for (const box of by("switches").querySelectorAll("input")) {
    const [, , , off] = SWITCHES.find(([, option]) => option === box.dataset.option);
    box.checked = state.options[box.dataset.option] !== off;
  }
}

function showFaults() {
  by("fault-list").replaceChildren(...state.faults.map((f) => make("li", {},
    make("code", {}, f.plan), make("small", {}, f.forever ? say("always") : say("times", { n: f.left })))));
  by("no-faults").hidden = state.faults.length !== 0;
}

// ---------------------------------------------------------------- stories

function showStory() {
  const s = state.story;
  const words = { playing: "storyPlaying", done: "storyDone", failed: "storyFailed" };
  by("story-state").textContent = words[s.state] ? say(words[s.state], { ...s, why: reason(s.why) }) : "";
}

async function saveStory() {
  const story = await attempt(get("/story"));
  if (story === null) return;
  const url = URL.createObjectURL(new Blob([JSON.stringify(story, null, 1)], { type: "application/json" }));
  make("a", { href: url, download: "story.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

async function openStory() {
  const [file] = by("story-file").files;
  by("story-file").value = "";
  if (!file) return;
  const options = { write_answers: by("story-write").checked, reset: by("story-fresh").checked };
  await attempt(file.text().then((text) => post("/story", { ...storyOf(text), ...options })));
}

function storyOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("this file holds no story");
  }
}

// ---------------------------------------------------------------- all of it

export function takeEvent(name, data) {
  if (name === "request") return takeRequest(data);
  if (name === "webhook") return takeHook(data);
  state[name] = data;
  const show = { subscriptions: () => takeSubscriptions(data), tokens: showTokens, faults: showFaults, options: showOptions, story: showStory };
  show[name]?.();
}

export function takeState(fresh) {
  state = fresh;
  by("request-list").replaceChildren(...state.requests.map(requestRow).reverse());
  by("no-requests").hidden = state.requests.length !== 0;
  by("hook-list").replaceChildren(...state.webhooks.map(hookRow).reverse());
  by("no-hooks").hidden = state.webhooks.length !== 0;
  takeSubscriptions(state.subscriptions);
  showTokens();
  showFaults();
  buildFaults();
  showOptions();
  showStory();
  by("exports").textContent = state.connect || say("connectElse");
}

export function redraw() {
  if (state !== null) takeState(state);
}

function choose(tab) {
  for (const one of by("tabs").children) {
    const on = one === tab;
    one.setAttribute("aria-selected", String(on));
    one.tabIndex = on ? 0 : -1;
    by(one.getAttribute("aria-controls")).hidden = !on;
  }
  if (state !== null) showTokens(); // ages and uses are those of now
}

function moveInTabs(event) {
  const tabs = [...by("tabs").children];
  const at = tabs.indexOf(document.activeElement);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  choose(tab);
  tab.focus();
}

function showDesk(on) {
  by("app").dataset.desk = on ? "open" : "";
  by("desk-toggle").setAttribute("aria-expanded", String(on));
  by("desk-news").hidden = true;
  (on ? by("tabs").querySelector("[aria-selected=true]") : by("desk-toggle")).focus();
  readIfSeen(); // it may have covered the conversation
}

export function startDesk() {
  for (const tab of by("tabs").children) tab.onclick = () => choose(tab);
  by("tabs").onkeydown = moveInTabs;
  by("desk-toggle").onclick = () => showDesk(by("app").dataset.desk !== "open");
  by("desk-close").onclick = () => showDesk(false);
  by("expire").onclick = () => attempt(post("/tokens", { do: "expire" }));
  by("revoke").onclick = () => attempt(post("/tokens", { do: "revoke" }));
  by("clear-faults").onclick = () => attempt(post("/fault", { clear: true }));
  by("story-save").onclick = saveStory;
  by("story-open").onclick = () => by("story-file").click();
  by("story-file").onchange = openStory;
  by("reset").onclick = () => attempt(post("/reset"));
  by("copy").onclick = async () => {
    if (!navigator.clipboard) return getSelection().selectAllChildren(by("exports")); // no secure context
    await attempt(navigator.clipboard.writeText(by("exports").textContent));
    by("copy").textContent = say("copied");
    setTimeout(() => { by("copy").textContent = say("copy"); }, 2000);
  };
  setInterval(() => state !== null && !by("tokens").hidden && showTokens(), 5000);
}
