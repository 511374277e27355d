// picture.mjs - the picture of the README, from a page that is used. It says inside from which page it was
// made (tests/check/picture.sh). PAGE_PICTURE: where to; without it build/page/page.png.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { crc32 } from "./crc32.mjs";
import { Browser, Simulator, check, hasAnswer, newBuyer, say, until } from "./support.mjs";

const FOLDER = "tools/simulator/web/";
const SHOP = [["Дмитрий К.", "Зимняя куртка, р. 48", "3 200 ₽", "Доставкой отправите?"],
  ["Ольга", "Смартфон 128 ГБ", "14 900 ₽", "Здравствуйте! Ещё продаётся?"],
  ["Сергей Петров", "Mazda 3, 2008", "465 000 ₽", "Можно ещё фото двигателя?"],
  ["Мария", "Стол и четыре стула, дуб", "18 000 ₽", "Где можно посмотреть?"]];

// The page as it is: names and bytes of its files.
function sourceOf() {
  const hash = createHash("sha256");
  for (const name of readdirSync(FOLDER).filter((n) => /\.(html|css|js|svg)$/.test(n)).sort()) {
    hash.update(name + "\n").update(readFileSync(FOLDER + name));
  }
  return hash.digest("hex");
}

function withNote(png, key, text) {
  const body = Buffer.from(`tEXt${key}\0${text}`, "latin1");
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]); // after the header chunk
}

async function photo(browser) {
  const page = await (await browser.person()).newPage();
  const data = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 480, height: 300 }), c = canvas.getContext("2d");
    c.fillStyle = "#cfe6f7"; c.fillRect(0, 0, 480, 300);
    c.fillStyle = "#7fae7a"; c.fillRect(0, 210, 480, 90);
    c.lineWidth = 7; c.strokeStyle = "#24303a";
    for (const x of [150, 330]) { c.beginPath(); c.arc(x, 205, 58, 0, 7); c.stroke(); }
    c.strokeStyle = "#c8323c"; c.lineWidth = 9; c.lineJoin = "round";
    c.beginPath(); c.moveTo(150, 205); c.lineTo(205, 120); c.lineTo(305, 120); c.lineTo(330, 205); c.moveTo(305, 120); c.lineTo(240, 205); c.lineTo(150, 205); c.moveTo(240, 205); c.lineTo(198, 105); c.moveTo(305, 120); c.lineTo(298, 90); c.lineTo(322, 84); c.stroke();
    c.fillStyle = "#24303a"; c.fillRect(178, 96, 42, 10);
    return canvas.toDataURL("image/png");
  });
  await page.context().close();
  return Buffer.from(data.slice(data.indexOf(",") + 1), "base64");
}

export async function main() {
  const sim = await Simulator.start("--chats", "0", "--seed", "5");
  const browser = await Browser.start();
  const picture = await photo(browser);
  for (const [buyer_name, item_title, price_string, text] of SHOP) {
    const { chat_id } = await sim.ask("chat", { buyer_name, item_title, price_string });
    await sim.ask("message", { chat_id, text });
  }
  for (const chat of (await sim.ask("chats")).chats.slice(0, 2)) await sim.ask("read", { chat_id: chat.id });
  const page = await browser.window(await browser.person({ locale: "en-US", viewport: { width: 1280, height: 720 } }), sim.page);
  await newBuyer(page, "Анна", "Велосипед детский, 20\"", "4 500 ₽");
  await say(page, "Здравствуйте! Ещё продаётся?");
  await page.setInputFiles("#picture-file", { name: "bicycle.png", mimeType: "image/png", buffer: picture });
  await page.waitForSelector("#messages li:last-child img");
  await until(() => page.$eval("#messages li:last-child img", (e) => e.complete && e.naturalWidth > 2));
  await say(page, "Вот такой?");
  await sim.ask("fault", { plan: "mark_chat_as_read:status=503:1" });
  const run = await sim.run("build/page/03_chats_and_reply", ["Здравствуйте! Да, он самый. Приезжайте сегодня после шести."]);
  check(await until(() => hasAnswer(page, "Здравствуйте! Да, он самый. Приезжайте сегодня после шести.")), "the picture's program answers", run.output);
  await page.evaluate(() => { document.activeElement.blur(); document.querySelector("#log").scrollTop = 1e6; });
  await until(() => page.evaluate(() => document.querySelectorAll("#request-list li").length >= 5));
  const png = withNote(await page.screenshot(), "Source", sourceOf());
  writeFileSync(process.env.PAGE_PICTURE ?? "build/page/page.png", png);
  check(png.length > 20000 && png.length < 250000, `the picture of the README can be made: ${png.length} bytes`);
  await browser.end();
  await sim.end();
}
