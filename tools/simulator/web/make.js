// make.js - makes elements. Strangers' text goes in as text, never as markup.

// make("li.row.good", { title: "x", onclick: f }, child, "text", ...)
export function make(kind, properties = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const e = document.createElement(tag);
  e.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role" || name === "for") e.setAttribute(name, value);
    else if (name === "data") Object.assign(e.dataset, value);
    else e[name] = value;
  }
  e.append(...children.filter((child) => child !== null && child !== undefined));
  return e;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export const by = (id) => document.getElementById(id);

// A stranger's name or text: its direction does not affect the text around it.
export function theirs(text, kind = "bdi") {
  return make(kind, { dir: "auto" }, text);
}

const AVATARS = 8;

export function dressAvatar(e, chat) {
  const [first] = chat.buyer_name.trim() || "?";
  e.textContent = first.toLocaleUpperCase();
  e.className = `avatar avatar-${chat.buyer_id % AVATARS}`;
  return e;
}
