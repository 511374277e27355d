// words.js - what the page says, in Russian and English. The first column is the place in index.html
// (data-word, data-label, data-placeholder) or in the scripts.

const words = {
  title: ["Вы — покупатель", "Play the buyer"],
  chats: ["Чаты", "Chats"],
  newBuyer: ["Новый покупатель", "New buyer"],
  search: ["Поиск по чатам", "Search chats"],
  noChats: ["Чатов нет. Создайте покупателя.", "No chats. Create a buyer."],
  chooseChat: ["Выберите чат слева или создайте нового покупателя: он напишет вашей программе.",
    "Choose a chat, or create a buyer: he writes to your program."],
  back: ["К чатам", "Back to the chats"],
  messages: ["Сообщения", "Messages"],
  message: ["Сообщение", "Message"],
  send: ["Отправить", "Send"],
  attach: ["Вложить", "Attach"],
  picture: ["Фото", "Picture"],
  location: ["Место", "Location"],
  listing: ["Объявление", "Listing"],
  voiceSample: ["Готовая запись", "Voice sample"],
  record: ["Записать голос", "Record voice"],
  stopRecording: ["Остановить и отправить запись", "Stop and send the recording"],
  noMicrophone: ["Микрофон недоступен. Есть готовая запись.", "No microphone. There is a voice sample."],
  answerTo: ["В ответ на:", "In reply to:"],
  dropQuote: ["Не отвечать на это", "Do not reply to it"],
  reply: ["Ответить", "Reply"],
  remove: ["Удалить", "Delete"],
  deleted: ["Сообщение удалено", "Message deleted"],
  voice: ["Голосовое сообщение", "Voice message"],
  voiceGone: ["Голосовое сообщение (записи нет)", "Voice message (no recording)"],
  pictureGone: ["Фото (файла нет)", "Picture (no file)"],
  pictureOf: ["Фото: {who}", "Picture from {who}"],
  missedCall: ["Пропущенный звонок", "Missed call"],
  otherType: ["Такое API не показывает: {type}", "The API does not show this: {type}"],
  buyer: ["покупатель", "buyer"],
  program: ["программа", "program"],
  app: ["приложение", "app"],
  avito: ["Авито", "Avito"],
  sent: ["Отправлено", "Sent"],
  read: ["Прочитано", "Read"],
  notYet: ["API покажет позже", "The API shows it later"],
  earlier: ["Ранее сообщений: {n}", "{n} earlier messages"],
  unread: ["программа не прочла: {n}", "{n} unread by the program"],
  you: ["Вы: ", "You: "],
  desk: ["Что делает программа", "What the program does"],
  close: ["Закрыть", "Close"],
  theme: ["Светлая или тёмная тема", "Light or dark"],
  requests: ["Запросы", "Requests"],
  noRequests: ["Запросов ещё не было. Запустите программу: строки для неё на вкладке «Подключение».",
    "No requests yet. Start a program: the lines for it are under “Connect”."],
  request: ["Запрос", "Request"],
  answer: ["Ответ", "Answer"],
  empty: ["(пусто)", "(empty)"],
  cut: ["(показано не всё)", "(not all is shown)"],
  noAnswer: ["без ответа", "no answer"],
  fault: ["сбой", "fault"],
  delayed: ["через {n} мс", "after {n} ms"],
  notHttp: ["не HTTP", "not HTTP"],
  hooks: ["Уведомления", "Webhooks"],
  subscriptions: ["Подписки", "Subscriptions"],
  noSubscriptions: ["Никто не подписан.", "Nobody is subscribed."],
  deliveries: ["Доставка", "Delivery"],
  noHooks: ["Доставок ещё не было.", "Nothing was delivered yet."],
  attempt: ["попытка {n}", "attempt {n}"],
  queued: ["в очереди", "queued"],
  tried: ["отправлено", "on its way"],
  done: ["доставлено", "delivered"],
  failed: ["не принято", "not accepted"],
  given_up: ["не доставлено", "given up"],
  tokens: ["Токены", "Tokens"],
  noTokens: ["Токенов ещё не выдавали.", "No token was given yet."],
  expireTokens: ["Сделать просроченными", "Let them expire"],
  revokeTokens: ["Отозвать", "Revoke them"],
  token: ["Токен {n}", "Token {n}"],
  tokenGood: ["действует", "good"],
  tokenExpired: ["просрочен", "expired"],
  tokenRevoked: ["отозван", "revoked"],
  tokenAge: ["возраст {n}", "age {n}"],
  tokenLeft: ["осталось {n}", "{n} left"],
  tokenUses: ["запросов: {n}", "{n} requests"],
  faults: ["Сбои", "Faults"],
  faultOperation: ["Для какого вызова", "For which call"],
  faultCount: ["Сколько раз", "How often"],
  anyCall: ["любой", "any"],
  always: ["всегда", "always"],
  tooMany: ["429: слишком часто", "429: too many"],
  serverError: ["500: ошибка", "500: error"],
  unavailable: ["503: недоступно", "503: unavailable"],
  storedNoAnswer: ["Сохранено, ответа нет", "Stored, no answer"],
  lostRequest: ["Запрос потерян", "Request lost"],
  cutAnswer: ["Ответ оборван", "Answer cut"],
  slow: ["Ответ через 5 с", "Answer after 5 s"],
  firewall: ["Страница защиты", "Firewall page"],
  expireNow: ["Токен просрочен", "Token expired"],
  planned: ["Запланировано", "Planned"],
  noFaults: ["Всё работает.", "Everything works."],
  clearFaults: ["Отменить сбои", "Cancel the faults"],
  times: ["ещё {n}", "{n} more"],
  lasting: ["Пока не выключите", "Until you switch it off"],
  noTariff: ["Тариф без API", "Tariff without the API"],
  hookLate: ["Уведомления опаздывают до 10 с", "Webhooks up to 10 s late"],
  hookTwice: ["Уведомления приходят дважды", "Webhooks come twice"],
  showLate: ["API показывает на 5 с позже", "The API shows 5 s later"],
  tightRate: ["Не больше 10 запросов в минуту", "At most 10 requests a minute"],
  story: ["История", "Story"],
  storyIntro: ["Всё, что вы сделали, и ответы программы можно сохранить и проиграть заново; тесты это тоже умеют.",
    "All that you did, and the program's answers, can be saved and played again; tests can do it too."],
  storySave: ["Сохранить", "Save"],
  storyOpen: ["Открыть", "Open"],
  storyFresh: ["Сначала всё сбросить", "Reset everything first"],
  storyWrite: ["Ответы пишет сама история (программа не нужна)", "The story writes the answers itself (no program needed)"],
  storyPlaying: ["Идёт: {done} из {count}", "Playing: {done} of {count}"],
  storyDone: ["Проиграна: {count}", "Played: {count}"],
  storyFailed: ["Остановилась: {why}", "Stopped: {why}"],
  startAnew: ["С начала", "Start over"],
  reset: ["Сбросить всё", "Reset everything"],
  connect: ["Подключение", "Connect"],
  connectIntro: ["В другом терминале, в папке проекта:", "In another terminal, in the project's folder:"],
  connectElse: ["Строки показывает `make play` в терминале.", "`make play` shows the lines in its terminal."],
  connectTry: ["И, например, ответить всем, кто ждёт:", "Then, for example, answer everybody who waits:"],
  connectScripts: ["Всё то же могут скрипты", "Scripts can do all of this"],
  copy: ["Скопировать", "Copy"],
  copied: ["Скопировано", "Copied"],
  drawnIfEmpty: ["Пустые поля заполнятся случайно.", "What you leave empty is made up."],
  buyerName: ["Имя", "Name"],
  itemTitle: ["Объявление", "Listing"],
  price: ["Цена", "Price"],
  noItem: ["Без объявления", "Without a listing"],
  address: ["Адрес", "Address"],
  latitude: ["Широта", "Latitude"],
  longitude: ["Долгота", "Longitude"],
  cancel: ["Отмена", "Cancel"],
  create: ["Создать", "Create"],
  live: ["на связи", "live"],
  asking: ["на связи (опрос)", "live (asking)"],
  lost: ["нет связи, пробуем снова", "no connection, trying again"],
  refused: ["Не получилось: {why}", "It did not work: {why}"],
  tooLarge: ["Файл больше 24 МБ", "The file is larger than 24 MB"],
  seconds: ["{n} с", "{n} s"],
  minutes: ["{n} мин", "{n} min"],
  hours: ["{n} ч", "{n} h"],
};

// Why something was refused: what the simulator says (tools/simulator/control), or service.js, and the same in
// Russian. The first that fits; {n} is a number, {rest} a reason again, "..." anything.
const reasons = [
  ["the simulator does not answer", "симулятор не отвечает"],
  ["this file holds no story", "в этом файле нет истории"],
  ["a story is ...", "история должна быть такой, какую отдаёт GET /story"],
  ["a step is ...", "шаг истории должен быть таким, какие отдаёт GET /story"],
  ["step {n}: {rest}", "шаг {n}: {rest}"],
  ["the answer did not come", "ответ не пришёл"],
  ["neither a picture ...", "это не картинка (JPEG, PNG, GIF, BMP, HEIC) и не звук (WAV, Ogg, WebM, MP4)"],
  ["at most {n} MB", "не больше {n} МБ"],
  ["no such chat, or ...", "такого чата нет, или в нём нет сообщения, на которое отвечают"],
  ["no such chat", "такого чата нет"],
  ["no such message", "такого сообщения нет"],
  ["no such request ...", "среди последних 200 запросов такого нет"],
  ["this request comes from another site", "запрос пришёл с другого сайта"],
].map(([english, russian]) => [new RegExp("^" + english.replace(/\.\.\./g, ".*").replace(/\{n\}/, "(?<n>\\d+)")
  .replace(/\{rest\}/, "(?<rest>.*)") + "$", "s"), russian]);

export function reason(why) {
  const found = column === 0 && reasons.find(([english]) => english.test(why));
  if (!found) return why;
  const { n, rest } = found[0].exec(why).groups ?? {};
  return found[1].replace("{n}", () => n).replace("{rest}", () => reason(rest));
}

let column = 1;

export function chooseLanguage(language) {
  column = language === "ru" ? 0 : 1;
  document.documentElement.lang = column === 0 ? "ru" : "en";
}

export function language() {
  return column === 0 ? "ru" : "en";
}

export function say(name, values = {}) {
  return words[name][column].replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

// Puts the words of the chosen language into the page.
export function translate(root = document) {
  for (const e of root.querySelectorAll("[data-word]")) e.textContent = say(e.dataset.word);
  for (const e of root.querySelectorAll("[data-label]")) e.setAttribute("aria-label", say(e.dataset.label));
  for (const e of root.querySelectorAll("[data-placeholder]")) e.placeholder = say(e.dataset.placeholder);
  document.title = say("title");
}

export function clock(ms, withSeconds = false) {
  const date = new Date(ms);
  const today = date.toDateString() === new Date().toDateString();
  const time = { hourCycle: "h23", hour: "2-digit", minute: "2-digit", ...(withSeconds ? { second: "2-digit" } : {}) };
  return new Intl.DateTimeFormat(language(), today || withSeconds ? time : { day: "numeric", month: "short" }).format(date);
}

export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 100 ? say("seconds", { n: s })
    : s < 6000 ? say("minutes", { n: Math.round(s / 60) })
    : say("hours", { n: Math.round(s / 3600) });
}
