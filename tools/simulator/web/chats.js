// chats.js - the list of chats, the conversation, and what a buyer can do in it.
import { by, dressAvatar, icon, make, theirs } from "./make.js";
import { base64, get, post } from "./service.js";
import { clock, reason, say } from "./words.js";

const MEDIA_MAX = 24 * 1024 * 1024;
const SHOWN = 200; // messages that are asked for per chat

const rows = new Map();     // chat id -> {chat, element}
const messages = new Map(); // message id -> {message, element}, of the open chat
let open = null;            // id of the open chat
let opening = 0;            // counts, so that a late answer for another chat is dropped
let quoted = null;
let earlier = 0;            // messages of the open chat that are not shown

// ---------------------------------------------------------------- the list

function previewOf(m) {
  if (m === null) return "";
  const text = m.deleted ? say("deleted")
    : m.type === "text" || m.type === "system" ? m.text
    : m.type === "image" ? say("picture")
    : m.type === "voice" ? say("voice")
    : m.type === "location" ? say("location")
    : m.type === "item" ? say("listing")
    : m.type === "call" ? say("missedCall")
    : m.text || say("otherType", { type: m.type });
  return (m.author === "buyer" ? say("you") : "") + text;
}

function rowOf(chat) {
  const button = make("button", { type: "button", onclick: () => openChat(chat.id, true) },
    dressAvatar(make("span", { "aria-hidden": "true" }), chat),
    make("span.lines", {},
      make("span.first", {}, theirs(chat.buyer_name), make("time", {}, clock(chat.updated * 1000))),
      chat.item_title ? make("span.item", {}, theirs(chat.item_title), chat.price_string ? " · " : null,
        chat.price_string ? theirs(chat.price_string) : null) : null,
      make("span.last", {}, theirs(previewOf(chat.last)),
        chat.unread ? make("span.badge", {}, make("span", { "aria-hidden": "true" }, String(chat.unread)),
          make("span.hidden", {}, say("unread", { n: chat.unread }))) : null)));
  if (chat.id === open) button.setAttribute("aria-current", "true");
  return make("li", { data: { id: chat.id } }, button);
}

const searched = () => by("search").value.trim().toLowerCase();

function matches(chat, words = searched()) {
  return words === "" ||
    `${chat.buyer_name}\n${chat.item_title}\n${chat.last?.text ?? ""}`.toLowerCase().includes(words);
}

function emptyNote() {
  by("no-chats").hidden = [...by("chat-list").children].some((e) => !e.hidden);
}

export function takeChat(chat) {
  const list = by("chat-list");
  const old = rows.get(chat.id)?.element;
  const focused = old?.contains(document.activeElement);
  const element = rowOf(chat);
  const top = old === undefined || rows.get(chat.id).chat.updated !== chat.updated ||
    rows.get(chat.id).chat.last?.id !== chat.last?.id;
  element.hidden = !matches(chat);
  rows.set(chat.id, { chat, element });
  if (top) list.prepend(element);
  if (old !== undefined) top ? old.remove() : old.replaceWith(element);
  if (focused) element.firstChild.focus();
  emptyNote();
  if (chat.id === open) dressBar(chat);
}

export function takeChats(chats) {
  rows.clear();
  by("chat-list").replaceChildren(...chats.map((chat) => {
    const element = rowOf(chat);
    element.hidden = !matches(chat);
    rows.set(chat.id, { chat, element });
    return element;
  }));
  emptyNote();
  if (open !== null) rows.has(open) ? openChat(open, false) : closeChat();
}

function moveInList(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const all = [...by("chat-list").children].filter((e) => !e.hidden);
  const next = all[all.findIndex((e) => e.contains(document.activeElement)) + step];
  event.preventDefault();
  if (next) next.firstChild.focus();
  else if (step < 0) by("search").focus();
}

// ---------------------------------------------------------------- one message

function marks(m) {
  const parts = [make("time", {}, clock(m.created_ms))];
  if (!m.visible && !m.deleted) parts.push(make("span.later", {}, say("notYet")));
  const read = m.author === "buyer" ? m.is_read : m.read_by_buyer;
  if (m.author !== "avito" && !m.deleted) {
    parts.push(make(read ? "span.marks.read" : "span.marks", { title: say(read ? "read" : "sent") },
      make("span", { "aria-hidden": "true" }, read ? "✓✓" : "✓"),
      make("span.hidden", {}, say(read ? "read" : "sent"))));
  }
  return make("span.foot", {}, ...parts);
}

function pictureOf(m, who) {
  const stays = scrolling || isLow(); // a picture that has loaded is higher than before
  const gone = make("p.gone", {}, icon("picture"), say("pictureGone"));
  if (!m.media_id) return gone;
  const link = make("a.picture", { href: `/media/${m.media_id}`, target: "_blank", rel: "noreferrer" });
  const img = make("img", { alt: say("pictureOf", { who }), loading: "lazy" });
  img.onload = () => stays && scrollDown();
  img.onerror = () => link.replaceWith(gone);
  img.src = `/media/${m.media_id}`;
  link.append(img);
  return link;
}

function voiceOf(m) {
  const gone = make("p.gone", {}, icon("mic"), say("voiceGone"));
  if (!m.media_id) return gone;
  const audio = make("audio", { controls: true, preload: "metadata", "aria-label": say("voice") });
  audio.onerror = () => audio.replaceWith(gone);
  audio.src = `/media/${m.media_id}`;
  return audio;
}

function placeOf(m) {
  const at = m.content.location ?? {};
  const point = Number.isFinite(at.lat) ? `${at.lat.toFixed(5)}, ${at.lon.toFixed(5)}` : "";
  return make("p.card", {}, icon("pin"), make("span", {}, theirs(String(at.text ?? m.text)), make("small", {}, point)));
}

function itemOf(m) {
  const item = m.content.item ?? {};
  return make("p.card", {}, icon("tag"),
    make("span", {}, theirs(String(item.title ?? m.text)), make("small", {}, String(item.price_string ?? ""))));
}

// What a message shows, by its type.
function bodyOf(m, who) {
  if (m.deleted) return make("p.gone", {}, say("deleted"));
  switch (m.type) {
    case "text":
    case "system":
      return theirs(m.text || String(m.content.text ?? ""), "p");
    case "link":
      return theirs(String(m.content.link?.text ?? m.text), "p");
    case "image":
      return pictureOf(m, who);
    case "voice":
      return voiceOf(m);
    case "location":
      return placeOf(m);
    case "item":
      return itemOf(m);
    case "call":
      return make("p.card", {}, icon("call"), make("span", {}, say("missedCall")));
    default:
      return make("p.gone", {}, say("otherType", { type: m.type }));
  }
}

function quoteOf(m) {
  const of = m.quote_id ? messages.get(m.quote_id)?.message : undefined;
  return of === undefined ? null : make("blockquote", {}, theirs(previewOf({ ...of, author: "" })));
}

function actionsOf(m) {
  if (m.deleted || m.author === "avito") return null;
  const actions = [make("button", { type: "button", onclick: () => quote(m) }, say("reply"))];
  if (m.author === "buyer") {
    actions.push(make("button", { type: "button", onclick: () => attempt(post("/delete", { message_id: m.id })) }, say("remove")));
  }
  return make("span.actions", {}, ...actions);
}

function bubbleOf(m) {
  const chat = rows.get(m.chat_id)?.chat;
  const who = m.author === "buyer" ? chat?.buyer_name ?? say("buyer") : m.author === "api" ? say("program") : say(m.author);
  const side = m.author === "buyer" ? "mine" : m.author === "avito" ? "system" : "other";
  return make(`li.message.${side}`, { data: { id: m.id } },
    make("div.bubble", {}, side === "mine" ? make("span.hidden", {}, theirs(who), ":") : make("span.author", {}, who),
      quoteOf(m), bodyOf(m, who), marks(m)),
    actionsOf(m));
}

// ---------------------------------------------------------------- the conversation

function isLow() {
  const log = by("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 120;
}

function scrollDown() {
  by("log").scrollTop = by("log").scrollHeight;
}

let scrolling = false; // a whole conversation is being put up, whose end will be shown

// Returns a function to be called later: a view that was at the end stays there.
function scrollIfLow() {
  const low = isLow();
  return () => low && scrollDown();
}

// True if it belongs to the open chat.
export function takeMessage(m) {
  if (m.chat_id !== open) return;
  const known = messages.get(m.id);
  const after = scrollIfLow();
  const element = bubbleOf(m);
  messages.set(m.id, { message: m, element });
  if (known) known.element.replaceWith(element);
  else by("messages").append(element);
  if (!known && m.author === "buyer") scrollDown();
  else after();
  readIfSeen();
}

function dressBar(chat) {
  by("talk-title").textContent = chat.buyer_name;
  by("talk-item").replaceChildren(theirs(chat.item_title), chat.price_string ? " · " : "", theirs(chat.price_string));
  dressAvatar(by("talk-avatar"), chat);
}

// The conversation may be behind the list or the desk.
function isSeen() {
  const log = by("log");
  return document.visibilityState === "visible" && log.getClientRects().length !== 0 && getComputedStyle(log).visibility === "visible";
}

// The buyer has read what is visible on the screen.
export function readIfSeen() {
  const waits = [...messages.values()].some(({ message: m }) =>
    m.author !== "buyer" && m.author !== "avito" && !m.read_by_buyer && m.visible && !m.deleted);
  if (open !== null && waits && isSeen()) {
    post("/read", { chat_id: open, by: "buyer" }).catch(() => {});
  }
}

function markCurrent(id) {
  if (open !== null) rows.get(open)?.element.firstChild.removeAttribute("aria-current");
  open = id;
  if (id !== null) rows.get(id)?.element.firstChild.setAttribute("aria-current", "true");
}

export async function openChat(id, byPerson) {
  const mine = ++opening;
  const same = id === open;
  markCurrent(id);
  if (!same) quote(null);
  dressBar(rows.get(id).chat);
  by("app").dataset.view = byPerson ? "talk" : by("app").dataset.view;
  for (const part of ["talk-bar", "log", "composer"]) by(part).hidden = false;
  by("nothing").hidden = true;
  if (byPerson && by("app").dataset.desk === "open") by("desk-close").click(); // it may cover the chat
  if (byPerson) by("text").focus({ preventScroll: true }); // at once: later the person may be elsewhere
  const answer = await get("/messages", { chat_id: id, limit: SHOWN });
  if (mine !== opening) return;
  messages.clear();
  for (const m of answer.messages) messages.set(m.id, { message: m });
  scrolling = true;
  for (const entry of messages.values()) entry.element = bubbleOf(entry.message);
  scrolling = false;
  const log = by("messages").parentNode; // a whole list at once must not be read out
  log.setAttribute("aria-live", "off");
  by("messages").replaceChildren(...[...messages.values()].map((entry) => entry.element));
  setTimeout(() => log.removeAttribute("aria-live"), 500);
  showEarlier(answer.earlier);
  scrollDown();
  readIfSeen();
}

function showEarlier(count) {
  earlier = count;
  by("earlier").hidden = earlier === 0;
  by("earlier").textContent = say("earlier", { n: earlier });
}

function closeChat() {
  opening++;
  markCurrent(null);
  messages.clear();
  by("messages").replaceChildren();
  for (const part of ["talk-bar", "log", "composer"]) by(part).hidden = true;
  by("nothing").hidden = false;
  by("app").dataset.view = "list";
}

export function redraw() {
  showEarlier(earlier);
  for (const { chat } of [...rows.values()]) {
    const row = rows.get(chat.id);
    const element = rowOf(chat);
    element.hidden = row.element.hidden;
    row.element.replaceWith(element);
    row.element = element;
  }
  for (const entry of messages.values()) {
    const element = bubbleOf(entry.message);
    entry.element.replaceWith(element);
    entry.element = element;
  }
}

// ---------------------------------------------------------------- what a buyer does

let complaint = 0; // the timer that ends it

function complain(why) {
  by("trouble").textContent = say("refused", { why: reason(why) });
  by("trouble").hidden = false;
  clearTimeout(complaint);
  complaint = setTimeout(() => { by("trouble").hidden = true; }, 6000);
}

export async function attempt(promise) {
  try {
    return await promise;
  } catch (error) {
    complain(error.message);
    return null;
  }
}

function quote(m) {
  quoted = m;
  by("quote").hidden = m === null;
  by("quote-text").textContent = m === null ? "" : previewOf({ ...m, author: "" });
  if (m !== null) by("text").focus();
}

async function write(fields) {
  const quote_id = quoted?.id ?? null;
  const sent = await attempt(post("/message", { chat_id: open, quote_id, ...fields }));
  if (sent !== null) quote(null);
  return sent;
}

async function sendText() {
  const text = by("text").value;
  if (text.trim() === "") return;
  by("text").value = "";
  fitText();
  if (await write({ text }) === null) by("text").value = text;
}

function fitText() {
  by("text").rows = Math.min(6, by("text").value.split("\n").length);
}

// Into the chat in which it was chosen: another one may be open when it is ready.
async function sendMedia(type, blob, chat_id = open) {
  if (blob.size > MEDIA_MAX) return complain(say("tooLarge"));
  const kept = await attempt(base64(blob).then((data) => post("/media", { data })));
  if (kept !== null) await write({ type, media_id: kept.media_id, chat_id, ...(chat_id === open ? {} : { quote_id: null }) });
}

// ---- voice: recorded, or a melody of a second and a half ----

let recorder = null;

async function record() {
  if (recorder !== null) return recorder.stop();
  const chat_id = open;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch {
    return complain(say("noMicrophone"));
  }
  const chunks = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (e) => chunks.push(e.data);
  recorder.onstop = () => {
    for (const track of stream.getTracks()) track.stop();
    const type = recorder.mimeType;
    recorder = null;
    showRecording(false);
    sendMedia("voice", new Blob(chunks, { type }), chat_id);
  };
  recorder.start();
  showRecording(true);
}

function showRecording(on) {
  by("record").setAttribute("aria-pressed", String(on));
  by("record").dataset.label = on ? "stopRecording" : "record";
  by("record").setAttribute("aria-label", say(by("record").dataset.label));
}

function sample() {
  const rate = 8000, notes = [523, 659, 784, 1047], length = 0.35;
  const count = Math.round(rate * length * notes.length);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); word(8, "WAVEfmt "); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  word(36, "data"); view.setUint32(40, 2 * count, true);
  for (let i = 0; i < count; i++) {
    const t = i / rate, note = Math.floor(t / length), fade = 1 - (t % length) / length;
    view.setInt16(44 + 2 * i, 9000 * fade * Math.sin(2 * Math.PI * notes[note] * t), true);
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}

// ---- dialogs ----

function dialog(id, onGood) {
  const box = by(id);
  box.querySelector(".cancel").onclick = () => box.close();
  box.addEventListener("close", () => box.returnValue === "good" && onGood());
  return () => {
    box.returnValue = "";
    box.showModal();
  };
}

async function createBuyer() {
  const value = (id) => by(id).value.trim() || null;
  const made = await attempt(post("/chat", {
    type: by("no-item").checked ? "u2u" : "u2i", buyer_name: value("buyer-name"),
    item_title: by("no-item").checked ? null : value("item-title"),
    price_string: by("no-item").checked ? null : value("item-price"),
  }));
  if (made === null) return;
  for (const id of ["buyer-name", "item-title", "item-price"]) by(id).value = "";
  for (let tries = 0; tries < 100 && !rows.has(made.chat_id); tries++) await new Promise((end) => setTimeout(end, 30));
  if (rows.has(made.chat_id)) openChat(made.chat_id, true);
}

function sendLocation() {
  const text = by("location-text").value;
  write({
    type: "location", text,
    content: { location: { kind: "house", lat: Number(by("location-lat").value), lon: Number(by("location-lon").value), text, title: text } },
  });
}

function sendItem() {
  const title = by("item-text").value;
  write({
    type: "item", text: title,
    content: { item: { image_url: "https://avito.ru/image_url.webp", item_url: "https://avito.ru/moskva/item_1", price_string: by("item-text-price").value.trim() || null, title } },
  });
}

function showAttach(on) {
  by("attach").hidden = !on;
  by("attach-toggle").setAttribute("aria-expanded", String(on));
}

export function startChats() {
  const newBuyer = dialog("buyer-dialog", createBuyer);
  const location = dialog("location-dialog", sendLocation);
  const item = dialog("item-dialog", sendItem);
  const attached = (what) => () => { showAttach(false); what(); };
  by("new-buyer").onclick = newBuyer;
  by("add-location").onclick = attached(location);
  by("add-item").onclick = attached(item);
  by("add-picture").onclick = attached(() => by("picture-file").click());
  by("add-sample").onclick = attached(() => sendMedia("voice", sample()));
  by("picture-file").onchange = () => {
    const [file] = by("picture-file").files;
    by("picture-file").value = "";
    if (file) sendMedia("image", file);
  };
  by("record").onclick = record;
  by("attach-toggle").onclick = () => showAttach(by("attach").hidden);
  by("quote-drop").onclick = () => quote(null);
  by("back").onclick = () => {
    by("app").dataset.view = "list";
    rows.get(open)?.element.firstChild.focus();
  };
  by("composer").onsubmit = (e) => { e.preventDefault(); sendText(); };
  by("text").oninput = fitText;
  by("text").onkeydown = (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); sendText(); }
    if (e.key === "Escape") { quote(null); showAttach(false); }
  };
  by("search").oninput = () => {
    const words = searched();
    for (const { chat, element } of rows.values()) element.hidden = !matches(chat, words);
    emptyNote();
  };
  by("search").onkeydown = moveInList;
  by("chat-list").onkeydown = moveInList;
  document.addEventListener("visibilitychange", readIfSeen);
  addEventListener("resize", readIfSeen);
}
