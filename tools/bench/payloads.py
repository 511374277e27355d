#!/usr/bin/env python3
"""Writes the seeded payloads of the bench into a directory (build/bench/data).

usage: payloads.py DIR [--long | --shapes]

--long    also lists for the plot
--shapes  only the shapes of shapes.py

Shapes: field order and keys as in chats and messages recorded from the service. The avatars of a
user have either the six sizes that were recorded or the nine of the API description. An ampersand
is \\u0026, as the server writes it. index.json tells bytes, elements and tokens of every file.
"""
import json
import os
import random
import sys

SEED = 20251122
SIZES_SEEN = ["1024x1024", "128x128", "192x192", "256x256", "64x64", "96x96"]
SIZES_SPEC = ["128x128", "192x192", "24x24", "256x256", "36x36", "48x48", "64x64", "72x72", "96x96"]
IMAGE_SIZES = ["1280x960", "140x105", "32x32", "640x480"]
WORDS = ("и в не на я что с это а как есть для ещё можно цена торг самовывоз доставка завтра "
         "сегодня сколько стоит здравствуйте добрый день состояние новый установку время даётся "
         "какое спасибо пожалуйста отправите фото подойдёт размер адрес звоните после шести метро "
         "забрать деталь машина гарантия документы коробка комплект комплекте оригинал рассрочка "
         "актуально объявление вечером утром работает проверить товар чек дня").split()
NAMES = ("Анна Иван Мария Пётр Ольга Сергей Дмитрий Екатерина Алексей Наталья Магазин Покупатель "
         "Мастерская Автозапчасти Гараж Светлана Юрий Ксения Антон Дом").split()
TITLES = ("Деталь Диван Велосипед Смартфон Кроватка Шины Двигатель Куртка Шкаф Ноутбук Коляска "
          "Перфоратор Зеркало Дверь Самокат Котёл Лодка Ковёр Стол Книга").split()
CITIES = [("Санкт-Петербург", "sankt-peterburg", 59.9, 30.3), ("Москва", "moskva", 55.7, 37.6),
          ("Казань", "kazan", 55.8, 49.1), ("Нижний Новгород", "nizhniy_novgorod", 56.3, 44.0),
          ("Екатеринбург", "ekaterinburg", 56.8, 60.6), ("Тула", "tula", 54.2, 37.6)]
CATEGORIES = ["zapchasti_i_aksessuary", "mebel_i_interer", "telefony", "odezhda", "velosipedy"]
EMOJI = ["🙂", "👍", "🔥", "❤️", "🚗"]
FLOWS = ["seller_audience_discount", "sbc_seller_notification", "flower_161071"]
KINDS = (["text"] * 48 + ["image"] * 10 + ["link"] * 6 + ["item"] * 6 + ["location"] * 5
         + ["call"] * 5 + ["voice"] * 5 + ["system"] * 6 + ["deleted"] * 3 + ["appCall"] * 2
         + ["file"] * 2 + ["video"] * 2)
OTHERS = ["call", "flow_id", "image", "item", "link", "location", "text", "voice"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.now = 1754916287

    def hex(self, digits):
        return "%0*x" % (digits, self.r.getrandbits(4 * digits))

    def word64(self, length):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~"
        return "".join(self.r.choice(alphabet) for _ in range(length))

    def text(self, low, high):
        words = [self.r.choice(WORDS) for _ in range(self.r.randint(low, high))]
        out = " ".join(words).capitalize() + self.r.choice([".", "?", "!", "", ")"])
        if self.r.random() < 0.12:
            out += " " + self.r.choice(EMOJI)
        if self.r.random() < 0.08:
            out = out.replace(" ", "\n", 1)
        if self.r.random() < 0.05:
            out = '"%s"' % out
        return out

    def message_text(self):
        roll = self.r.random()
        if roll < 0.5:
            return self.text(1, 9)
        return self.text(8, 30) if roll < 0.92 else self.text(30, 80)

    def degree(self, base):
        return round(base + self.r.uniform(-0.9, 0.9), self.r.choice([1, 4, 6, 6]))

    def price(self):
        return "%s ₽" % f"{self.r.randint(1, 400) * 50:,}".replace(",", "\u00a0")

    def image_map(self):
        number, tail = self.r.randint(10**9, 10**10 - 1), self.hex(32)
        return {s: "https://img.k.avito.ru/chat/%s/%d.%s.jpg" % (s, number, tail)
                for s in IMAGE_SIZES}

    def content(self, kind):
        r, title = self.r, self.r.choice(TITLES)
        if kind == "text":
            text = self.message_text()
            if r.random() < 0.05:
                return {k: text if k == "text" else None for k in OTHERS}
            return {"text": text}
        if kind == "image":
            return {"image": {"sizes": self.image_map()}}
        if kind == "link":
            url = "https://example.ru/%s?a=1&b=%d" % (self.word64(8), r.randint(1, 99))
            preview = {"description": self.text(4, 14), "domain": "example.ru",
                       "images": self.image_map() if r.random() < 0.5 else None,
                       "title": self.text(2, 5), "url": url}
            return {"link": {"text": url, "url": url,
                             "preview": preview if r.random() < 0.8 else None}}
        if kind == "item":
            return {"item": {"image_url": "https://20.img.avito.st/image/1/1.%s.webp" %
                             self.word64(30),
                             "item_url": "https://avito.ru/moskva/telefony/%s_%d" %
                             (self.word64(6), r.randint(10**9, 9 * 10**9)),
                             "price_string": self.price() if r.random() < 0.8 else None,
                             "title": title}}
        if kind == "location":
            name, _, lat, lon = r.choice(CITIES)
            place = "%s, %s шоссе, %d" % (name, r.choice(TITLES), r.randint(1, 200))
            return {"location": {"kind": r.choice(["street", "house", "area"]),
                                 "lat": self.degree(lat), "lon": self.degree(lon),
                                 "text": place, "title": place}}
        if kind == "call":
            return {"call": {"status": "missed", "target_user_id": r.randint(10**8, 4 * 10**8)}}
        if kind == "voice":
            h = self.hex(32)
            return {"voice": {"voice_id": "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))}}
        if kind == "system":
            return {"flow_id": r.choice(FLOWS),
                    "text": "[Системное сообщение] " + self.text(3, 12)}
        return {}

    def quote(self):
        kind = self.r.choice(["text"] * 8 + ["image", "voice"])
        return {"id": self.hex(32), "author_id": self.r.randint(10**8, 4 * 10**8),
                "created": self.now - self.r.randint(1000, 90000), "type": kind,
                "content": self.content(kind)}

    def author(self, kind, two):
        return self.r.choice([0, 1]) if kind == "system" else self.r.choice(two)

    def message(self):
        kind = self.r.choice(KINDS)
        two = (120000001, 350000001)
        own = self.r.random() < 0.45
        self.now -= self.r.randint(1, 900)
        out = {"id": self.hex(32), "author_id": two[1] if own else self.author(kind, two[:1]),
               "created": self.now, "content": self.content(kind), "type": kind,
               "direction": "out" if own else "in", "is_read": self.r.random() < 0.8,
               "read": self.now + self.r.randint(1, 900) if own else None}
        if self.r.random() < 0.2:
            out["quote"] = self.quote()
        return out

    def user(self, number, item):
        r = self.r
        sizes = SIZES_SEEN if r.random() < 0.2 else SIZES_SPEC
        style = r.random()
        if style < 0.15:
            picture = "https://%02d.img.avito.st/image/1/1.%s.%s?%%s" % (
                r.randint(0, 99), self.word64(32), self.word64(43))
        elif style < 0.9:
            picture = "https://%02d.img.avito.st/avatar/social/%%s/%d.jpg" % (
                r.randint(0, 99), r.randint(10**10, 10**11 - 1))
        else:
            picture = "https://www.avito.st/stub_avatars/%s/%d_%%s.png" % (
                r.choice("_ABEIKMOPST"), r.randint(1, 15))
        name = r.choice(NAMES) + (" " + r.choice(NAMES) if r.random() < 0.4 else "")
        url = "https://avito.ru/user/%s/profile" % self.hex(32)
        if r.random() < 0.5:
            url += "?id=%d&iid=%d&src=messenger&page_from=from_item_messenger" % (item, item)
        return {"id": number, "name": name, "parsing_allowed": r.random() < 0.5,
                "public_user_profile": {
                    "user_id": number, "item_id": item,
                    "avatar": {"default": picture % "256x256",
                               "images": {s: picture % s for s in sizes}},
                    "url": url}}

    def chat(self):
        r = self.r
        item, buyer = r.randint(10**9, 9 * 10**9), r.randint(10**8, 4 * 10**8)
        city = r.choice(CITIES)
        title = "%s %s" % (r.choice(TITLES), self.text(0, 5).lower())
        self.now -= r.randint(1, 4000)
        kind = r.choice(KINDS)
        users = [self.user(buyer, item), self.user(350000001, item)]
        if r.random() < 0.3:
            users.reverse()
        author = self.author(kind, (buyer, 350000001))
        return {
            "id": "u2i-" + self.word64(21) + r.choice("AQgw"),
            "context": {"type": "item", "value": {
                "id": item, "title": title.strip(), "user_id": 350000001,
                "images": {"main": {"140x105": "https://%02d.img.avito.st/image/1/1.%s.%s" % (
                    r.randint(0, 99), self.word64(20), self.word64(6))},
                    "count": r.randint(1, 10)},
                "status_id": r.choice([4, 10, 20]), "price_string": self.price(),
                "url": "https://avito.ru/%s/%s/%s_%d" % (city[1], r.choice(CATEGORIES),
                                                         "detal", item),
                "location": {"title": city[0], "lat": self.degree(city[2]),
                             "lon": self.degree(city[3])}}},
            "created": self.now - r.randint(10, 10**6), "updated": self.now,
            "users": users,
            "last_message": {"id": self.hex(32), "author_id": author, "created": self.now,
                             "content": self.content(kind), "type": kind,
                             "direction": "out" if author == 350000001 else "in",
                             "delivered": self.now}}


def tokens(value):
    if isinstance(value, dict):
        return 1 + sum(1 + tokens(v) for v in value.values())
    if isinstance(value, list):
        return 1 + sum(tokens(v) for v in value)
    return 1


def text_of(value, escaped):
    out = json.dumps(value, ensure_ascii=escaped, separators=(",", ":"))
    return out.replace("&", "\\u0026").encode()


def envelope(key, elements):
    return b'{"' + key.encode() + b'":[' + b",".join(elements) + b'],"meta":{"has_more":false}}'


class Writer:
    def __init__(self, directory):
        self.directory, self.index = directory, {}

    def put(self, name, body, elements, count, kind):
        with open(os.path.join(self.directory, name), "wb") as f:
            f.write(body)
        self.index[name] = {"bytes": len(body), "elements": elements, "tokens": count, "kind": kind}

    def lists(self, kind, count, suffix, forms):
        maker = Maker(SEED + (kind == "messages"))
        make = maker.chat if kind == "chats" else maker.message
        bodies, number, avatars = {f: [] for f in forms}, 4, 0
        for _ in range(count):
            value = make()
            number += tokens(value)
            for form in forms:
                bodies[form].append(text_of(value, form == "esc"))
            avatars += sum(len(text_of(u["public_user_profile"]["avatar"], False))
                           for u in value.get("users", ()))
        for form in forms:
            body, name = envelope(kind, bodies[form]), "%s%s.%s" % (kind, suffix, form)
            self.put(name, body, count, number, kind)
            sizes = [len(b) for b in bodies[form]]
            self.index[name].update(avatar_bytes=avatars, smallest=min(sizes), largest=max(sizes))


def hostile(writer):
    """Unknown members in a list of chats, each at one and at ten times the length."""
    for suffix, n in (("1x", 1), ("10x", 10)):
        nest = b'"x":' + b"[" * 24 + b"1" + b"]" * 24
        deep = b'{"id":"a","created":1,"y":[' + b",".join([b"{" + nest + b"}"] * (300 * n)) + b"]}"
        writer.put("deep." + suffix, envelope("chats", [deep]), 1, 7 + 28 * 300 * n, "chats")
        empty = [b"{}"] * (6000 * n)
        writer.put("empty." + suffix, envelope("chats", empty), 6000 * n, 6000 * n, "chats")
        inner = b'{"id":"a","y":[' + b",".join([b"{}"] * (6000 * n)) + b"]}"
        writer.put("inner." + suffix, envelope("chats", [inner]), 1, 6000 * n, "chats")
        long = b'{"id":"a","y":"' + b"\\u0434\xd0\xb0 no" * (2000 * n) + b'"}'
        writer.put("long." + suffix, envelope("chats", [long]), 1, 9, "chats")
        keys = b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(2500 * n)) + b"}"
        writer.put("keys." + suffix, envelope("chats", [keys]), 1, 5000 * n, "chats")
        flat = b'{"y":[' + b",".join(b"%d" % i for i in range(5000 * n)) + b"]}"
        writer.put("flat." + suffix, envelope("chats", [flat]), 1, 5000 * n, "chats")


def broken(writer):
    """One small fault in each: which decoders notice?"""
    ok = b'{"id":"a","created":1,"last_message":{"id":"b","content":{"text":"%s"}}}'
    faults = {
        "utf8": (ok % b"\xff\xfe", "bytes that are not UTF-8"),
        "utf8-overlong": (ok % b"\xc0\xaf", "overlong UTF-8"),
        "utf8-surrogate": (ok % b"\xed\xa0\x80", "surrogate in UTF-8"),
        "escape": (ok % b"\\x41", "unknown escape"),
        "control": (ok % b"a\nb", "raw control character"),
        "comma": (b'{"id":"a","created":1,}', "comma before }"),
        "colon": (b'{"id" "a"}', "no colon"),
        "zero": (b'{"id":"a","created":01}', "leading zero"),
        "plus": (b'{"id":"a","created":+1}', "plus sign"),
        "word": (b'{"id":"a","created":nul}', "cut word"),
        "cut": (b'{"id":"a","created":1', "text ends early"),
        "key": (b"{'id':'a'}", "single quotes"),
    }
    for name, (body, what) in faults.items():
        writer.put("broken-" + name, envelope("chats", [body]), 1, 1, "broken")
        writer.index["broken-" + name]["what"] = what


SHAPES_SEED = 20261129
MAPS = ("images", "sizes", "main")  # their members are entries, not fields


def changed(value, members, key=None):
    """The value with `members(list of pairs)` applied to every object that is not a map."""
    if isinstance(value, list):
        return [changed(v, members) for v in value]
    if not isinstance(value, dict):
        return value
    pairs = [(k, changed(v, members, k)) for k, v in value.items()]
    is_map = key in MAPS and all(isinstance(v, str) for v in value.values())
    return dict(pairs if is_map else members(pairs))


class Shaper(Maker):
    """The parts of a shape."""

    def user(self, number, item):
        out = super().user(number, item)
        picture = "https://www.avito.st/stub_avatars/%s/%d_%%s.png" % (
            self.r.choice("_ABEIKMOPST"), self.r.randint(1, 15))
        out["public_user_profile"]["avatar"] = {
            "default": picture % "256x256", "images": {s: picture % s for s in SIZES_SPEC}}
        return out

    def shuffle(self, pairs):
        return self.r.sample(pairs, len(pairs))

    def sprinkle(self, pairs):
        """One or two unknown members, anywhere."""
        for _ in range(self.r.randint(1, 2)):
            pairs.insert(self.r.randint(0, len(pairs)), self.unknown())
        return pairs

    def unknown(self):
        r, key = self.r, "x_" + self.word64(self.r.randint(2, 12)).lower()
        return key, r.choice([
            r.randint(0, 10**9), True, False, None, round(r.uniform(-90, 90), 4), self.hex(24),
            self.text(2, 8), [r.randint(0, 99) for _ in range(r.randint(0, 5))],
            {"kind": self.word64(6), "count": r.randint(0, 9), "flags": [True, False]}])

    def text_message(self, text):
        out = self.message()
        while out["type"] != "text":
            out = self.message()
        out.pop("quote", None)
        out["content"] = {"text": text}
        return out

    def tiny(self):
        return self.text_message(self.text(3, 6))

    def quoted(self):
        """Every third word or so is in quotation marks."""
        words = self.text(6, 22).split(" ")
        return self.text_message(" ".join('"%s"' % w if self.r.random() < 0.25 else w
                                          for w in words))

    def long_text(self):
        letters, out = self.r.randint(150, 450), ""
        while len(out) < letters:
            out += self.text(4, 14) + " "
        return out.strip()

    def long(self):
        return self.text_message(self.long_text())

    def emoji(self):
        faces = EMOJI + ["😀", "🎉", "🛻", "🪑", "✨"]
        runs = [self.r.choice(WORDS) + " " + "".join(self.r.choices(faces, k=self.r.randint(3, 8)))
                for _ in range(self.r.randint(4, 14))]
        return self.text_message(" ".join(runs))

    def notification(self, text):
        h = self.hex(32)
        return {"id": "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:])), "version": "v3.0.0",
                "timestamp": self.now + 3, "payload": {"type": "message", "value": {
                    "id": self.hex(32), "chat_id": "u2i-" + self.word64(21) + "A",
                    "user_id": 350000001, "author_id": 120000001, "created": self.now,
                    "type": "text", "chat_type": "u2i", "content": {"text": text},
                    "item_id": 7463793900, "published_at": "2025-08-11T12:44:44Z"}}}


def written(value, escaped=False, **how):
    out = json.dumps(value, ensure_ascii=escaped, **({"separators": (",", ":")} | how))
    return out.replace("&", "\\u0026").encode()


def put_list(writer, name, element, form=written, **how):
    kind = name.partition("-")[0]
    values = [element() for _ in range(100)]
    number = 4 + sum(map(tokens, values))
    writer.put(name, envelope(kind, [form(v, **how) for v in values]), 100, number, kind)


def put_shapes(writer):
    def maker(name):
        return Shaper("%d %s" % (SHAPES_SEED, name.partition(".")[0]))

    for name in ("chats-compact", "chats-indented", "chats-shuffled", "chats-unknown"):
        m = Shaper("%d chats" % SHAPES_SEED)
        element = {"chats-shuffled": lambda m=m: changed(m.chat(), m.shuffle),
                   "chats-unknown": lambda m=m: changed(m.chat(), m.sprinkle)}.get(name, m.chat)
        how = {"indent": 4, "separators": (",", ": ")} if name == "chats-indented" else {}
        put_list(writer, name, element, **how)
    for name, make, escaped in (("messages-mixed", Shaper.message, False),
                                ("messages-tiny", Shaper.tiny, False),
                                ("messages-quotes", Shaper.quoted, False),
                                ("messages-long.raw", Shaper.long, False),
                                ("messages-long.esc", Shaper.long, True),
                                ("messages-emoji", Shaper.emoji, False)):
        put_list(writer, name, lambda m=maker(name), make=make: make(m), escaped=escaped)
    m = maker("notification")
    one = m.notification("Здравствуйте! Ещё продаётся? Могу забрать завтра вечером у метро, после шести. 🚗")
    long = m.notification(m.long_text())
    for name, body in (("notification-one", written(one)),
                       ("notification-long.esc", written(long, True)),
                       ("notification-spaced", written(one, separators=(", ", ": ")))):
        writer.put(name, body, 1, tokens(one), "notification")


def put_lists(writer, long):
    for kind in ("chats", "messages"):
        writer.lists(kind, 100, "100", ("raw", "esc"))
        writer.lists(kind, 10000, "10000", ("raw",))
        if long:
            for count in (1, 10, 1000):
                writer.lists(kind, count, str(count), ("raw",))
    hostile(writer)
    broken(writer)


def main():
    directory, long = sys.argv[1], "--long" in sys.argv[2:]
    os.makedirs(directory, exist_ok=True)
    writer = Writer(directory)
    put_shapes(writer)
    if "--shapes" not in sys.argv[2:]:
        put_lists(writer, long)
    with open(os.path.join(directory, "index.json"), "w") as f:
        json.dump(writer.index, f, indent=1)


if __name__ == "__main__":
    main()
