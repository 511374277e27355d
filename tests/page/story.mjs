// story.mjs - a person's first visit: from an empty page to the answers of example 03 and of the bot.
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser, Simulator, check, hasAnswer, newBuyer, pause, say, until } from "./support.mjs";

const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEUlEQVR4nGMwmBBgMCGAAUIBAByQA8FSnH7QAAAAAElFTkSuQmCC", "base64");

async function firstAnswer(sim, page, browser) {
  check(await page.isVisible("#no-chats"), "without a chat the page says what to do");
  await newBuyer(page, "Анна", "Велосипед детский, 20\"", "4 500 ₽");
  await say(page, "Здравствуйте! Ещё продаётся?");
  check(await page.textContent("#chat-list .last bdi") === "Вы: Здравствуйте! Ещё продаётся?", "the list shows what was written");
  check(await page.isVisible("#messages .mine .marks:not(.read)"), "it is not read yet");
  const run = await sim.run("build/page/03_chats_and_reply", ["Здравствуйте! Да, велосипед на месте."]);
  check(run.status === 0, "example 03 runs with what the page says to export", run.output);
  check(await browser.inTime(() => hasAnswer(page, "Здравствуйте! Да, велосипед на месте.")), "its answer appears within a second", browser.took);
  check(await browser.inTime(() => page.isVisible("#messages .mine .marks.read")), "and so does that it has read the question", browser.took);
  const rows = await page.$$eval("#request-list .what", (all) => all.map((e) => e.textContent).reverse());
  check(rows.join() === "token,get_self,get_chats,send_message,mark_chat_as_read", "each of its requests stands in the log", rows);
  check((await page.$$eval("#request-list .status", (all) => all.map((e) => e.textContent))).every((s) => s === "200"), "with its status");
  check(/^\d\d:\d\d:\d\d$/.test(await page.textContent("#request-list time")), "and its time");
  await page.click("#request-list li:nth-child(2) summary");
  await page.waitForSelector("#request-list .bodies");
  const bodies = await page.$$eval("#request-list .bodies pre", (all) => all.map((e) => e.textContent));
  check(bodies[0].includes("велосипед на месте") && bodies[1].includes("\"direction\": \"out\""), "and what was said", bodies);
  const [chat] = (await sim.ask("chats")).chats;
  const seen = (await sim.ask("store")).messages.filter((m) => m.author === "api");
  check(seen.every((m) => m.read_by_buyer) && chat.unread === 0, "the buyer has read what he sees");
}

async function everyKind(sim, page) {
  const last = () => page.$eval("#messages li:last-child", (e) => e.innerHTML);
  const count = () => page.$$eval("#messages li", (all) => all.length);
  const grows = async (act, what) => {
    const before = await count();
    await act();
    check(await until(async () => await count() === before + 1), what, await page.textContent("#trouble"));
  };
  await grows(() => page.setInputFiles("#picture-file", { name: "a.png", mimeType: "image/png", buffer: PNG }), "a picture from disk");
  check(await until(() => page.$eval("#messages li:last-child img", (e) => e.complete && e.naturalWidth === 2)), "and it is seen");
  await grows(async () => {
    await page.click("#attach-toggle");
    await page.click("#add-location");
    await page.fill("#location-text", "Казань, Кремль");
    await page.click("#location-dialog button.main");
  }, "a location");
  check((await last()).includes("Казань, Кремль"), "with its address");
  await grows(async () => {
    await page.click("#attach-toggle");
    await page.click("#add-item");
    await page.click("#item-dialog button.main");
  }, "a listing");
  await grows(async () => {
    await page.click("#attach-toggle");
    await page.click("#add-sample");
  }, "a voice sample");
  check(await until(() => page.$eval("#messages li:last-child audio", (e) => e.duration > 1)), "that can be heard");
  await grows(async () => {
    await page.click("#record");
    await page.waitForSelector("#record[aria-pressed=true]");
    await pause(700);
    await page.click("#record");
  }, "a recorded voice message");
  const types = (await sim.ask("store")).messages.map((m) => m.type);
  check(types.slice(-5).join() === "image,location,item,voice,voice", "the service has them all", types);
  await say(page, "опечатка");
  await page.hover("#messages li:last-child .bubble");
  await page.click("#messages li:last-child .actions button:last-child");
  check(await until(async () => (await last()).includes("Сообщение удалено")), "what was written can be deleted");
  await page.hover("#messages .other .bubble");
  await page.click("#messages .other .actions button");
  await say(page, "А торг?");
  check(await until(async () => (await last()).includes("blockquote")), "and answered with a quote");
  check((await sim.ask("store")).messages.at(-1).quote_id !== "", "which the service has too");
}

// What was chosen in one chat goes there, whatever is open when it is ready.
async function intoItsChat(sim, page) {
  const { chat_id } = await sim.ask("chat", { buyer_name: "Тамара" });
  await page.route("**/media", async (route) => {
    await page.click(`#chat-list li[data-id="${chat_id}"] button`);
    await route.continue();
  });
  const from = await page.textContent("#talk-title");
  await page.setInputFiles("#picture-file", { name: "a.png", mimeType: "image/png", buffer: PNG });
  check(await until(async () => (await sim.ask("store")).messages.at(-1).type === "image"), "a picture arrives while another chat is opened");
  const { chats } = await sim.ask("chats");
  const [to] = chats.filter((c) => c.id === chat_id);
  check(to.messages === 0 && await page.textContent("#talk-title") === "Тамара", "in the chat in which it was chosen", chats);
  await page.unroute("**/media");
  await page.click(`#chat-list li[data-id="${chats.find((c) => c.buyer_name === from).id}"] button`);
}

// A Russian page says in Russian why not.
async function refusals(sim, page) {
  const refused = async (act, words) => {
    await act();
    check(await until(async () => await page.isVisible("#trouble") && (await page.textContent("#trouble")).includes(words)), `it says: ${words}`, await page.textContent("#trouble"));
  };
  const story = (text) => () => page.setInputFiles("#story-file", { name: "s.json", mimeType: "application/json", buffer: Buffer.from(text) });
  await refused(() => page.setInputFiles("#picture-file", { name: "a.png", mimeType: "image/png", buffer: Buffer.from("text") }), "Не получилось: это не картинка (JPEG");
  await refused(story("{"), "Не получилось: в этом файле нет истории");
  await refused(story("{\"story\":2,\"steps\":[]}"), "Не получилось: история должна быть такой");
  await refused(story("{\"story\":1,\"steps\":[7]}"), "Не получилось: шаг истории должен быть таким");
  await sim.ask("story", { story: 1, wait_ms: 10, steps: [{ answer: { chat_id: "x", type: "text", text: "y" } }] });
  await page.click("#tab-story");
  check(await until(async () => await page.textContent("#story-state") === "Остановилась: шаг 1: ответ не пришёл"), "so does a story that cannot go on",
    await page.textContent("#story-state"));
}

async function theBot(sim, page) {
  const folder = mkdtempSync(join(tmpdir(), "page-bot-"));
  const bot = sim.run("build/demo/bot", [folder, "Скоро ответим!"], { AVITO_BOT_POLL_MS: "200", AVITO_BOT_GRACE_S: "1" });
  await until(async () => (await sim.ask("stats")).operations.get_chats.served > 1);
  await newBuyer(page, "Борис", "Стол");
  await say(page, "Где можно посмотреть?");
  check(await until(() => hasAnswer(page, "Скоро ответим!"), 6000), "the bot answers a new buyer");
  await page.click("#tab-faults");
  await page.selectOption("#fault-operation", "send_message");
  await page.click("[data-fault='stored_no_answer']");
  check(await until(() => page.isVisible("#fault-list li")), "a fault is planned by a button");
  await newBuyer(page, "Вера", "Лампа");
  await say(page, "Работает?");
  check(await until(() => page.evaluate(() => document.querySelectorAll("#request-list .mark").length === 1), 6000), "it strikes");
  check(await until(() => page.isHidden("#fault-list li"), 2000), "and is used up");
  await pause(3000);
  const [chat] = (await sim.ask("chats")).chats.filter((c) => c.buyer_name === "Вера");
  const sent = (await sim.ask(`messages?chat_id=${chat.id}`)).messages.filter((m) => m.author === "api");
  check(sent.length === 1 && await hasAnswer(page, "Скоро ответим!"), "the bot did not answer twice", sent);
  const recorded = JSON.parse(readFileSync("tests/page/asks_and_is_answered.json", "utf8"));
  await sim.ask("story", recorded);
  check(await until(async () => (await sim.ask("state")).story.state !== "playing", 15000) &&
    (await sim.ask("state")).story.state === "done", "a story that was kept is played with the bot as the shop", (await sim.ask("state")).story);
  bot.child.kill("SIGTERM");
  await bot;
  rmSync(folder, { recursive: true, force: true });
}

async function webhooks(sim, page) {
  const got = [];
  const receiver = createServer((request, answer) => {
    request.resume().on("end", () => {
      got.push(request.url);
      answer.writeHead(got.length === 1 ? 500 : 200).end();
    });
  });
  await new Promise((end) => receiver.listen(0, "127.0.0.1", end));
  await page.click("#tab-hooks");
  await sim.api("POST", "/messenger/v3/webhook", { url: `http://127.0.0.1:${receiver.address().port}/secret-path` });
  check(await until(() => page.isVisible("#subscription-list li")), "a subscription is shown");
  check(!(await page.content()).includes("secret-path"), "but not the path, which may be a secret");
  await say(page, "Вы тут?");
  check(await until(() => page.isVisible("#hook-list .status.bad")), "a delivery that failed is shown");
  check(await until(() => page.isVisible("#hook-list .status.good"), 6000), "and when it is made good");
  await page.click("#tab-faults");
  await page.check("[data-option=webhook_copies]");
  await until(async () => (await sim.ask("state")).options.webhook_copies === 2);
  const before = got.length;
  await say(page, "Дважды");
  check(await until(() => got.length === before + 2), "webhooks can come twice");
  await page.uncheck("[data-option=webhook_copies]");
  receiver.close();
}

async function tokensAndOptions(sim, page) {
  await page.click("#tab-tokens");
  check(await until(() => page.isVisible("#token-list .status.good")), "tokens are shown");
  check(/возраст \d+ (с|мин)/.test(await page.textContent("#token-list small")), "with their age", await page.textContent("#token-list"));
  const uses = async () => Number(/запросов: (\d+)/.exec(await page.textContent("#token-list li:first-child"))?.[1]);
  const before = await uses();
  await sim.send((await sim.ask("chats")).chats[0].id, "Раз");
  check(await until(async () => await uses() === before + 1), "and how often each was used", { before, now: await uses() });
  await page.click("#expire");
  check(await until(() => page.evaluate(() => !document.querySelector("#token-list .good") && document.querySelector("#token-list .bad"))), "they can expire");
  check((await sim.send((await sim.ask("chats")).chats[0].id, "x")).status === 403, "and then they have");
  delete sim.token;
  await page.click("#tab-faults");
  await page.check("[data-option=tariff]");
  await until(async () => (await sim.ask("state")).options.tariff === 1);
  check((await sim.send((await sim.ask("chats")).chats[0].id, "x")).status === 402, "the tariff can be missing");
  await page.uncheck("[data-option=tariff]");
  await until(async () => (await sim.ask("state")).options.tariff === 0);
}

async function theStory(sim, page) {
  const texts = async () => (await sim.ask("store")).messages.map((m) => `${m.type} ${m.text}`);
  const before = await texts();
  await page.click("#tab-story");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#story-save")]);
  const file = join(sim.folder, "story.json");
  await download.saveAs(file);
  const story = JSON.parse(readFileSync(file, "utf8"));
  check(story.complete && story.steps.length > 15, "all of it can be saved", story.steps.length);
  await page.click("#reset");
  check(await until(async () => (await sim.ask("store")).messages.length === 0 && await page.isVisible("#no-chats")), "everything can start over");
  await page.check("#story-write");
  await page.setInputFiles("#story-file", file);
  check(await until(() => page.evaluate(() => /^Проиграна/.test(document.querySelector("#story-state").textContent))), "a story can be played again",
    await page.textContent("#story-state"));
  const after = await texts();
  check(after.join("\n") === before.join("\n"), "and everything is said once more", { before, after });
  // As make play begins: chats are there at once, and belong to the story.
  await sim.ask("reset", { chats: 3 });
  delete sim.token;
  await sim.send((await sim.ask("chats")).chats[0].id, "Продаётся");
  const three = await texts();
  const [again] = await Promise.all([page.waitForEvent("download"), page.click("#story-save")]);
  await again.saveAs(file);
  await page.setInputFiles("#story-file", file);
  check(await until(async () => (await sim.ask("state")).story.state === "done") && (await texts()).join("\n") === three.join("\n"),
    "also a story that began with chats, and each stands there once", { three, now: await texts() });
}

export async function main() {
  const sim = await Simulator.start("--chats", "0");
  const browser = await Browser.start();
  const page = await browser.window(await browser.person(), sim.page);
  await firstAnswer(sim, page, browser);
  await everyKind(sim, page);
  await intoItsChat(sim, page);
  await refusals(sim, page);
  await theBot(sim, page);
  await webhooks(sim, page);
  await tokensAndOptions(sim, page);
  await theStory(sim, page);
  const expected = browser.troubles.filter((t) => !/status of 400/.test(t));
  check(expected.length === 0, "nothing went wrong in the page", expected);
  check(browser.outside.length === 0, "nothing was asked for outside of this machine", browser.outside);
  await browser.end();
  await sim.end();
}
