// page.js - puts the page together: language, light or dark, and the simulator's events.
import * as chats from "./chats.js";
import * as desk from "./desk.js";
import { by } from "./make.js";
import { Live } from "./service.js";
import { chooseLanguage, language, say, translate } from "./words.js";

function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // a browser that stores nothing
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // then only until the page is closed
  }
}

let link = "lost";

function showLink(word) {
  link = word;
  by("link").textContent = say(word);
  by("link").className = `link ${word}`;
}

function setLanguage(word) {
  chooseLanguage(word);
  translate();
  const [short, name, code] = word === "ru" ? ["EN", "English", "en"] : ["RU", "Русский", "ru"];
  Object.assign(by("language"), { textContent: short, title: name, lang: code });
  by("language").setAttribute("aria-label", `${short}, ${name}`);
  showLink(link);
}

function setTheme(word) {
  if (word) document.documentElement.dataset.theme = word;
}

function isDark() {
  return (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

const preferred = navigator.languages.find((l) => /^(ru|en)/.test(l)) ?? "en";
setTheme(remembered("theme"));
setLanguage(remembered("language") ?? preferred.slice(0, 2));
chats.startChats();
desk.startDesk();

by("language").onclick = () => {
  setLanguage(language() === "ru" ? "en" : "ru");
  remember("language", language());
  chats.redraw();
  desk.redraw();
};
by("theme").onclick = () => {
  setTheme(isDark() ? "light" : "dark");
  remember("theme", document.documentElement.dataset.theme);
};

new Live((state) => {
  desk.takeState(state);
  chats.takeChats(state.chats);
}, (name, data) => {
  if (data.chat) chats.takeChat(data.chat);
  if (data.message) chats.takeMessage(data.message);
  if (name !== "chat" && name !== "message") desk.takeEvent(name, data);
}, showLink).start();
