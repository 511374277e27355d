// many.mjs - five hundred chats, and names that are meant to do harm.
import { deflateSync } from "node:zlib";
import { crc32 } from "./crc32.mjs";
import { Browser, Simulator, check, pause, until } from "./support.mjs";

const HOSTILE = ["<script>globalThis.pwned = 1</script>", "<img src=x onerror='globalThis.pwned = 2'>",
  "\"><svg onload=globalThis.pwned=3>", "javascript:globalThis.pwned=4", "\u202Eгоризонталь\u202D", "\u0000\u0007\u001B[31mред".replace("\u0000", ""),
  "А".repeat(200), "W".repeat(190), "‮‮‮", "🙂".repeat(60), " ", "\u200B", "../../page/", "{{7*7}}", "&lt;b&gt;", "‏مرحبا"];

async function many(sim, page, browser) {
  check((await page.$$("#chat-list li")).length === 500, "five hundred chats are listed");
  await page.fill("#search", "велосипед");
  const found = () => page.$$eval("#chat-list li:not([hidden])", (all) => all.every((e) => /велосипед/i.test(e.textContent)) && all.length);
  check(await until(async () => await found() > 10) && await found() < 500, "they can be searched", await found());
  await page.fill("#search", "");
  const { chats } = await sim.ask("chats");
  await sim.ask("message", { chat_id: chats[400].id, text: "Снизу наверх" });
  check(await browser.inTime(() => page.$eval("#chat-list li:first-child", (e) => e.textContent.includes("Снизу наверх"))),
    "the newest comes first, within a second", browser.took);
  for (let i = 0; i < 300; i++) await sim.ask("message", { chat_id: chats[0].id, text: `№ ${i}` });
  await page.click(`#chat-list li[data-id="${chats[0].id}"] button`);
  check(await until(() => page.isVisible("#earlier")), "of a long chat the newest messages are shown, and how many are not");
  check(await page.$eval("#log", (e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 2), "and the end is what one sees");
}

// A picture that loads late moves the end of a conversation down; so must the view, whatever was open before.
async function lateByPicture(sim, page) {
  const data = pngOf(300, 300);
  const { chat_id } = await sim.ask("chat", { buyer_name: "Пикчер" });
  const { media_id } = await sim.ask("media", { data });
  for (let i = 0; i < 12; i++) await sim.ask("message", { chat_id, text: `Строка ${i}` });
  await sim.ask("message", { chat_id, type: "image", media_id });
  await page.evaluate(() => { document.querySelector("#log").scrollTop = 0; });
  await page.route("**/media/*", async (route) => {
    await pause(300);
    await route.continue();
  });
  await page.click(`#chat-list li[data-id="${chat_id}"] button`);
  await page.waitForFunction(() => document.querySelector("#messages li:last-child img")?.naturalWidth === 300);
  check(await until(() => page.$eval("#log", (e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 2), 2000), "the end is seen also where a picture loads late",
    await page.$eval("#log", (e) => [e.scrollTop, e.clientHeight, e.scrollHeight]));
}

function pngOf(width, height) {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]), out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.alloc((width + 1) * height))), chunk("IEND", Buffer.alloc(0))]).toString("base64");
}

async function hostile(sim, browser) {
  await sim.ask("reset", { chats: 0 });
  for (const name of HOSTILE) {
    const { chat_id } = await sim.ask("chat", { buyer_name: name, item_title: name, price_string: name.slice(0, 60) });
    await sim.ask("message", { chat_id, text: name });
    await sim.send(chat_id, name.trim() || "x");
    await sim.ask("message", { chat_id, type: "location", text: name });
    await sim.ask("message", { chat_id, type: "item", content: { item: { title: { a: 1 }, price_string: [name] } } });
    await sim.ask("message", { chat_id, type: "image", text: name });
    await sim.ask("message", { chat_id, type: "location", content: { location: "none" } });
  }
  for (const width of [360, 1320]) {
    const context = await browser.person({ viewport: { width, height: 720 } });
    const page = await browser.window(context, sim.page);
    const rows = await page.$$("#chat-list li");
    check(rows.length === HOSTILE.length, `all hostile names are listed at ${width} px`, rows.length);
    let wide = [];
    for (const row of rows) {
      await row.$eval("button", (e) => e.click());
      await page.waitForFunction(() => document.querySelectorAll("#messages li").length === 6);
      if (!await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector("#log").scrollWidth <= document.querySelector("#log").clientWidth)) {
        wide.push(await page.textContent("#talk-title"));
      }
      if (width === 360) await page.click("#back");
    }
    check(wide.length === 0, `none makes the page wider than ${width} px`, wide);
    check(await page.evaluate(() => globalThis.pwned === undefined && document.querySelectorAll("#chat-list script, #messages script, #messages [onerror], #app [onload]").length === 0),
      "and none is more than text");
    const shown = await page.$$eval("#chat-list .first bdi", (all) => all.map((e) => e.textContent));
    check(HOSTILE.every((name) => shown.includes(name)), "each is shown as it is");
    await context.close();
  }
}

export async function main() {
  const sim = await Simulator.start("--chats", "500");
  const browser = await Browser.start();
  const page = await browser.window(await browser.person(), sim.page);
  await many(sim, page, browser);
  await lateByPicture(sim, page);
  await page.close();
  sim.token = undefined;
  delete sim.token;
  await hostile(sim, browser);
  check(browser.troubles.length === 0, "nothing went wrong in the page", browser.troubles);
  check(browser.outside.length === 0, "nothing was asked for outside of this machine", browser.outside);
  await browser.end();
  await sim.end();
}
