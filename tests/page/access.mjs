// access.mjs - screen readers (axe-core), the keyboard alone, small windows, both languages, light and dark.
import { Browser, Simulator, axe, check, hasAnswer, pause, until } from "./support.mjs";

const TABS = ["requests", "hooks", "tokens", "faults", "story", "connect"];
const DIALOGS = [["#new-buyer", "buyer"], ["#add-location", "location"], ["#add-item", "item"]];

async function fits(page, what) {
  const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((e) => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !e.closest(".hidden, [role=tablist], pre, .symbols, .search, .who, .item");
  }).map((e) => e.id || e.className || e.tagName));
  check(wide.length === 0, `${what}: everything is inside the window`, wide);
}

async function look(page, width, what) {
  const findings = [];
  const axed = async (where) => { for (const f of await axe(page)) findings.push(`${where}: ${f}`); };
  await axed("list");
  await fits(page, `${what}, list`);
  await page.click("#chat-list li:first-child button");
  await page.waitForSelector("#messages li");
  await page.click("#attach-toggle");
  await axed("conversation");
  await fits(page, `${what}, conversation`);
  for (const [button, name] of DIALOGS) {
    if (!await page.isVisible(button)) {
      if (name === "buyer") await page.click("#back");
      else await page.click("#attach-toggle");
    }
    await page.click(button);
    await axed(`dialog ${name}`);
    await fits(page, `${what}, dialog ${name}`);
    await page.keyboard.press("Escape");
    if (name === "buyer" && width < 640) await page.click("#chat-list li:first-child button");
  }
  if (width < 1080) await page.click("#desk-toggle");
  for (const tab of TABS) {
    await page.click(`#tab-${tab}`);
    if (tab === "requests") {
      await page.click("#request-list li summary");
      await page.waitForSelector(".bodies");
    }
    await axed(`tab ${tab}`);
    await fits(page, `${what}, ${tab}`);
  }
  check(findings.length === 0, `${what}: axe-core finds nothing`, findings.join("\n"));
}

// From the first Tab to the answer, without a mouse.
async function keyboard(sim, page) {
  const active = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  const tabTo = async (id) => {
    for (let i = 0; i < 60 && await active() !== id; i++) await page.keyboard.press("Tab");
    return await active() === id;
  };
  check(await tabTo("new-buyer"), "Tab reaches the button for a new buyer");
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  check(ring === "solid", "and one sees where one is", ring);
  await page.keyboard.press("Enter");
  await page.keyboard.type("Клава");
  await page.keyboard.press("Enter");
  check(await until(async () => await active() === "text"), "the new chat is ready to write in", await active());
  await page.keyboard.type("Без мыши");
  await page.keyboard.press("Enter");
  const [chat] = (await sim.ask("chats")).chats;
  check(await until(async () => (await sim.ask("chats")).chats[0].last?.text === "Без мыши"), "Enter sends");
  await sim.send(chat.id, "Ответ");
  check(await until(() => hasAnswer(page, "Ответ")), "the answer comes");
  await tabTo("search");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  check(await until(async () => await page.textContent("#talk-title") !== "Клава"), "arrows walk through the chats");
  await until(async () => await active() === "text"); // the chat that was opened takes it
  check(await tabTo("tab-requests"), "Tab reaches the desk");
  await page.keyboard.press("ArrowRight");
  check(await until(async () => await page.isVisible("#hooks") && await active() === "tab-hooks"), "arrows choose its tabs", await active());
  await page.keyboard.press("Tab");
  check(await until(async () => await active() === "hooks"), "Tab goes on into what is shown", await active());
}

// In a narrow window the desk covers the conversation, and the list stands in its place.
async function narrow(sim, browser, width) {
  const context = await browser.person({ viewport: { width, height: 740 } });
  const page = await browser.window(context, sim.page);
  const [first, second] = (await sim.ask("chats")).chats;
  const row = (chat) => `#chat-list li[data-id="${chat.id}"] button`;
  const readByBuyer = async (chat) => (await sim.ask(`messages?chat_id=${chat.id}`)).messages.at(-1).read_by_buyer;
  const onTop = (id) => page.$eval(id, (e) => {
    const box = e.getBoundingClientRect();
    e.style.pointerEvents = "auto"; // else it would not count
    return e.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
  });
  await page.click(row(first));
  await page.click("#desk-toggle");
  check(!await page.isVisible("#text"), `${width} px: what the desk covers cannot be reached`);
  await sim.send(first.id, "За столом");
  for (let i = 0; i < 12; i++) await sim.ask("message", { chat_id: first.id, text: `Строка ${i}` });
  await sim.send(first.id, "Под столом");
  await pause(500);
  check(!await readByBuyer(first), "nor has the buyer read what it covers");
  await page.setInputFiles("#story-file", { name: "s.json", mimeType: "application/json", buffer: Buffer.from("{") });
  check(await until(() => page.isVisible("#trouble")) && await onTop("#trouble"), "what goes wrong is said above it");
  await page.click("#desk-close");
  check(await until(() => readByBuyer(first)), "without it he reads");
  check(await page.$eval("#log", (e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 2), "and sees the end");
  if (width < 640) {
    await page.click("#back");
    await sim.send(first.id, "Не видно");
    await pause(500);
    check(!await readByBuyer(first), "what comes while the list is shown is not read");
    await page.click(row(first));
    check(await until(() => readByBuyer(first)), "until the chat is opened");
  } else {
    await page.click("#desk-toggle");
    await page.click(row(second));
    check(await page.isVisible("#text") && await page.evaluate(() => document.activeElement.id) === "text" && await onTop("#text"), "a chat that is chosen is shown, and can be written in");
  }
  await context.close();
}

async function choices(page) {
  const title = () => page.textContent("h1");
  check(await title() === "Вы — покупатель" && await page.getAttribute("html", "lang") === "ru", "a Russian browser gets Russian");
  await page.click("#language");
  check(await title() === "Play the buyer" && await page.getAttribute("html", "lang") === "en", "the language can be changed");
  const words = await page.evaluate(() => document.body.innerText + [...document.querySelectorAll("[aria-label]")].map((e) => e.ariaLabel).join());
  check(!/Чаты|Запрос|Сбо|Отправ|Ранее|Ответить|undefined|\{\w+\}/.test(words.replace(/Здравствуйте[^\n]*/g, "")), "nothing stays in the other one");
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.click("#theme");
  const dark = await back();
  check(light !== dark, "so can light and dark", { light, dark });
  await page.reload();
  await page.waitForSelector(".link.live");
  check(await title() === "Play the buyer" && await back() === dark, "and both are remembered");
}

export async function main() {
  const sim = await Simulator.start("--chats", "3");
  const browser = await Browser.start();
  const [chat] = (await sim.ask("chats")).chats;
  for (const [type, fields] of [["image", {}], ["location", { text: "Казань" }], ["item", { text: "Стол" }], ["voice", {}], ["call", {}], ["system", {}]]) {
    await sim.ask("message", { chat_id: chat.id, type, ...fields });
  }
  await sim.send(chat.id, "Добрый день");
  await sim.ask("fault", { plan: "*:status=500:5" });
  for (let i = 0; i < 2; i++) await sim.send(chat.id, "Ещё раз");
  await sim.api("GET", "/nothing");
  for (const width of [360, 820, 1320]) {
    for (const [colorScheme, locale] of [["light", "ru-RU"], ["dark", "en-US"]]) {
      const context = await browser.person({ viewport: { width, height: 740 }, colorScheme, locale });
      await look(await browser.window(context, sim.page), width, `${width} px, ${colorScheme}, ${locale.slice(0, 2)}`);
      await context.close();
    }
  }
  await sim.ask("fault", { clear: true });
  for (const width of [360, 820]) await narrow(sim, browser, width);
  for (let i = 0; i < 210; i++) await sim.ask("message", { chat_id: chat.id, text: "N" });
  const context = await browser.person();
  const page = await browser.window(context, sim.page);
  await keyboard(sim, page);
  await page.click(`#chat-list li[data-id="${chat.id}"] button`);
  check(await until(() => page.isVisible("#earlier")), "of a long chat it says how many messages are not shown");
  await choices(page);
  check(browser.troubles.length === 0, "nothing went wrong in the page", browser.troubles);
  await browser.end();
  await sim.end();
}
