// windows.mjs - more than one window, a service that goes away and comes back, events that do not pass.
import { Browser, Simulator, check, hasAnswer, newBuyer, say, until } from "./support.mjs";

const linkIs = (page, word) => until(() => page.isVisible(`#link.${word}`), 12000);
const listHas = (page, text) => page.evaluate((t) => [...document.querySelectorAll("#chat-list .last bdi")].some((e) => e.textContent.includes(t)), text);

async function two(sim, context, browser) {
  const first = await browser.window(context, sim.page);
  const second = await browser.window(context, sim.page);
  await newBuyer(first, "Анна", "Стол");
  await say(first, "Из первого окна");
  check(await browser.inTime(() => listHas(second, "Из первого окна")), "what one window writes the other shows within a second", browser.took);
  await second.click("#chat-list li:first-child button");
  await second.waitForSelector("#messages .mine");
  await say(second, "Из второго");
  check(await browser.inTime(() => first.evaluate(() => document.querySelectorAll("#messages .mine").length === 2)), "and the other way round", browser.took);
  const stranger = await browser.window(await browser.person(), sim.page);
  check(await listHas(stranger, "Из второго"), "another person's browser sees the same");
  await stranger.context().close();
  return [first, second];
}

// A browser has six connections to a host. All ten pages must live.
async function ten(sim, context, browser, pages) {
  while (pages.length < 10) pages.push(await browser.window(context, sim.page));
  const [chat] = (await sim.ask("chats")).chats;
  const everywhere = (text, seconds) => browser.inTime(async () => (await Promise.all(pages.map((p) => listHas(p, text)))).every(Boolean), seconds);
  await sim.ask("message", { chat_id: chat.id, text: "Всем десяти" });
  check(await everywhere("Всем десяти"), "ten pages of one browser are told", browser.took);
  await pages.shift().close(); // another one takes over: not a matter of a second on a machine that has ten pages to draw
  await sim.ask("message", { chat_id: chat.id, text: "Остальным" });
  check(await everywhere("Остальным", 4), "and go on when the one that listened is closed", browser.took);
  while (pages.length > 1) await pages.pop().close();
}

async function restart(sim, page, browser) {
  await sim.stop();
  check(await linkIs(page, "lost"), "a service that is gone is noticed");
  await page.fill("#text", "В никуда");
  await page.press("#text", "Enter");
  check(await until(() => page.isVisible("#trouble")) && await page.inputValue("#text") === "В никуда", "what cannot be sent is not lost");
  check(await page.textContent("#trouble") === "Не получилось: симулятор не отвечает", "and why is said", await page.textContent("#trouble"));
  await sim.begin();
  check(await linkIs(page, "live"), "and when it is back");
  check(await until(async () => (await page.$$("#chat-list li")).length === 1 && page.isVisible("#nothing")), "its new state is shown");
  await page.click("#chat-list li button");
  await say(page, "Снова здесь");
  const [chat] = (await sim.ask("chats")).chats;
  await sim.send(chat.id, "И я");
  check(await browser.inTime(() => hasAnswer(page, "И я")), "and everything works", browser.took);
}

async function withoutEvents(sim, browser) {
  const context = await browser.person({ locale: "en-US" });
  await context.route("**/events*", (route) => route.abort());
  const page = await browser.window(context, sim.page);
  check(await linkIs(page, "asking"), "where events do not pass the page asks");
  const [chat] = (await sim.ask("chats")).chats;
  await page.click("#chat-list li button");
  await sim.send(chat.id, "Спрошенное");
  check(await browser.inTime(() => hasAnswer(page, "Спрошенное"), 2), "and is told as well", browser.took);
  await context.close();
}

export async function main() {
  const sim = await Simulator.start("--chats", "0");
  const browser = await Browser.start();
  const context = await browser.person();
  const pages = await two(sim, context, browser);
  await ten(sim, context, browser, pages);
  sim.options = ["--chats", "1"];
  const ports = sim.ports;
  sim.options.push("--control-port", ports.control, "--tcp-port", ports.tcp, "--tls-port", ports.tls);
  await restart(sim, pages[0], browser);
  await withoutEvents(sim, browser);
  const unexpected = browser.troubles.filter((t) => !/ERR_CONNECTION|ERR_FAILED|net::ERR|Failed to load/.test(t));
  check(unexpected.length === 0, "nothing went wrong in the pages", unexpected);
  await browser.end();
  await sim.end();
}
