#!/usr/bin/env python3
"""An independent decoder of the API's answers: the expectation of the decoding tests.

Reads a file of tests/data with Python's own json module and prints what the C structs must hold, as
the flat text that tests/support/dump.h describes. Written from the facts about the API (the manual,
THE API, CALL BY CALL, and tests/data/INDEX.md), not from the C code.

    tests/expect.py FILE...    print the expectation of these files
    tests/expect.py --write    write tests/data/*.expect
    tests/expect.py --check    compare them with what is there; exit status 1 if one differs

The first line is "result = OK", "result = END" (the probe `{}` of a notification), or the error:
"result = JSON", JSON_UTF8, JSON_DEPTH, MODEL, DUPLICATE, EMPTY, REFUSED, CREDENTIALS, without
"AVITO_ERR_". After an error there are no more lines. Files error_* have no result line: an error body is only read for
its code and message.

The file's name says what it is: chat_*, chats_*, messages_*, message_*, event_*, token_*, self_*,
subscriptions_*, voices_*, upload_*, ok_*, error_*; bad_X_* is a hostile X.

RULES beside the plain mapping
  numbers      may be strings; int64; a whole number may be written as 17.0 or 1e3; anything else is MODEL
  shown        what is only shown to a person (SHOWN in the header's rows, "shown" here) counts as missing
               if it is of another type; a number becomes text where a text is only shown
  []           counts as null where an object belongs
  context      its type decides what its value is; before its type came, what is no listing is left out
  event_*      a message without envelope or type is one; a byte order mark is skipped
  null         is the same as missing
  unknown keys are ignored, whatever they hold; a known key twice in one object is DUPLICATE
  lone surrogates from \\u escapes become U+FFFD, one each
  coordinates  only shown; numbers, or text of them; times 10^7, rounded half away from zero from the decimal text, never by
               a double
  depth        more than 32 open containers is JSON_DEPTH, wherever they are
  content      SYSTEM if flow_id is there, or if the message's type is system and text is there;
               else the member that is there; TEXT if only text is; NONE if nothing known is
  answers      what the call must have (an id; the list, null is an empty one) makes it a success; else a
               known shape of a refusal is REFUSED, else it is MODEL. {"ok":true} is an empty list of
               subscriptions. A call without a model is confirmed by anything that is no refusal.
  is_own       direction is out, or author_id equals user_id (notifications)
  is_system    type system; or author_id is 0, 1 or missing on a message that is not outgoing, or whose
               text begins with SYSTEM_PREFIX; or not own in an a2u chat (chat_type, or the chat's id).
               The text alone says nothing: any buyer can write it
  message_*    the answer to a send: only what the description knows of it is looked at, and it is this
               account's own whatever it says
  is_placeholder   the text begins with PLACEHOLDER
"""
import glob
import json
import os
import re
import sys
from decimal import ROUND_HALF_UP, Decimal, localcontext

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
SYSTEM_PREFIX = "[Системное сообщение]"
PLACEHOLDER = "Перейдите на подписку с API мессенджера"
ERROR_TEXT_BYTES = 95
DEPTH = 32


class Fault(Exception):
    """An answer that must be refused; its text is the error's name."""


class Missing(Fault):
    """An answer without what the call needs: perhaps it is a refusal."""

    def __init__(self):
        super().__init__("MODEL")


def must_have(found, key):
    if found.get(key) is None:
        raise Missing()


# ---- reading ----

class Object(list):
    """A JSON object as its pairs, in order, duplicates included."""

    def fields(self, *known):
        """The known members that are not null. A known key that comes twice is malformed."""
        found, seen = {}, set()
        for key, value in self:
            if key in known:
                if key in seen:
                    raise Fault("DUPLICATE")
                seen.add(key)
                if value is not None:
                    found[key] = value
        return found


def refuse_constant(_):
    raise Fault("JSON")


def too_deep(text):
    depth, in_string, escaped = 0, False, False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > DEPTH:
                return True
        elif char in "]}":
            depth -= 1
    return False


def parse(data):
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Fault("JSON_UTF8") from None
    if text.strip(" \t\r\n") == "":
        raise Fault("EMPTY")
    if too_deep(text):
        raise Fault("JSON_DEPTH")
    try:
        return json.loads(text, object_pairs_hook=Object, parse_float=Decimal,
                          parse_constant=refuse_constant)
    except ValueError:
        raise Fault("JSON") from None


def must_be(kind, value):
    if not isinstance(value, kind) or (kind is list and isinstance(value, Object)):
        raise Fault("MODEL")
    return value


def string(value):
    return re.sub("[\ud800-\udfff]", "\ufffd", must_be(str, value))


def boolean(value):
    return must_be(bool, value)


NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def integer(value):
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        value = int(value)
    elif isinstance(value, str) and NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault("MODEL")
    if not -2**63 <= value < 2**63:
        raise Fault("MODEL")
    return value


def degrees_e7(value):
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Fault("MODEL")
    with localcontext() as exact:
        exact.prec = 1000
        scaled = int((Decimal(value) * 10**7).to_integral_value(ROUND_HALF_UP))
    if not -2**31 <= scaled < 2**31:
        raise Fault("MODEL")
    return scaled


def empty_is_null(value):
    return None if type(value) is list and not value else value


def obj(value):
    """An object that decides; None if there is none."""
    value = empty_is_null(value)
    return None if value is None else must_be(Object, value)


def shown_obj(value):
    return value if isinstance(value, Object) else None


def shown(value):
    """A text that is only shown."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def lenient(read, value):
    """The result of `read` for a value that is only shown; None if it fails."""
    try:
        return None if value is None else read(value)
    except Fault:
        return None


# ---- printing ----

class Text:
    def __init__(self):
        self.lines = []

    def line(self, path, value):
        self.lines.append(f"{path} = {value}")

    def string(self, path, value):
        if value is not None:
            self.line(path, json.dumps(string(value)))

    def shown(self, path, value):
        self.string(path, shown(value))

    def shown_number(self, path, value):
        self.number(path, lenient(integer, value))

    def number(self, path, value):
        if value is not None and integer(value) != 0:
            self.line(path, integer(value))

    def degrees(self, path, value):
        e7 = lenient(degrees_e7, value)
        if e7:
            self.line(path, e7)

    def truth(self, path, value):
        """A flag of the server's, printed if it was sent."""
        if value is not None:
            self.line(path, "true" if boolean(value) else "false")

    def flag(self, path, value):
        if value:
            self.line(path, "true")

    def shown_word(self, path, value, names):
        self.word(path, shown(value), names)

    def word(self, path, value, names):
        if value is not None:
            self.line(path, names.get(string(value), "UNKNOWN") + " " + json.dumps(string(value)))

    def items(self, path, values, one):
        if values:
            self.line(path + ".count", len(values))
        for i, value in enumerate(values):
            one(self, f"{path}[{i}]", value)


def text_one(out, path, value):
    out.line(path, json.dumps(string(value)) if value is not None else "null")


def objects(value):
    """A list of objects; null is empty."""
    return [must_be(Object, one) for one in must_be(list, value)] if value is not None else []


def size_map(out, path, value):
    pairs = shown_obj(value) or []
    if pairs:
        out.line(path + ".count", len(pairs))
    for i, (size, url) in enumerate(pairs):
        text = json.dumps(string(shown(url))) if shown(url) is not None else "null"
        out.line(f"{path}[{i}]", json.dumps(string(size)) + " " + text)


# ---- models ----

TYPES = {"text": "TEXT", "image": "IMAGE", "link": "LINK", "item": "ITEM", "location": "LOCATION",
         "call": "CALL", "voice": "VOICE", "system": "SYSTEM", "deleted": "DELETED",
         "appCall": "APP_CALL", "file": "FILE", "video": "VIDEO"}
DIRECTIONS = {"in": "IN", "out": "OUT"}
CHAT_TYPES = {"u2i": "U2I", "u2u": "U2U", "a2u": "A2U"}
KINDS = {"house": "HOUSE", "street": "STREET", "area": "AREA"}
STATUSES = {"missed": "MISSED"}
MEMBERS = ("image", "link", "item", "location", "call", "voice")


def image(out, path, value):
    size_map(out, path + ".sizes", must_be(Object, value).fields("sizes").get("sizes"))


def link(out, path, value):
    f = must_be(Object, value).fields("text", "url", "preview")
    out.shown(path + ".text", f.get("text"))
    out.shown(path + ".url", f.get("url"))
    preview = shown_obj(f.get("preview"))
    if preview is not None:
        path += ".preview"
        out.line(path, "object")
        p = preview.fields("title", "description", "domain", "url", "images")
        for name in ("title", "description", "domain", "url"):
            out.shown(f"{path}.{name}", p.get(name))
        size_map(out, path + ".images", p.get("images"))


def item_content(out, path, value):
    names = ("title", "item_url", "image_url", "price_string")
    f = must_be(Object, value).fields(*names, "url", "images")
    given = {name: shown(f.get(name)) for name in names}
    for name, other in value:  # the last one counts
        if name in ("item_url", "url") and shown(other) is not None:
            given["item_url"] = shown(other)
    images = shown_obj(f.get("images"))
    main = shown_obj(images.fields("main", "count").get("main")) if images is not None else None
    if given["image_url"] is None and main:
        given["image_url"] = shown(main[0][1])
    for name in names:
        out.string(f"{path}.{name}", given[name])


def location(out, path, value):
    f = must_be(Object, value).fields("kind", "lat", "lon", "title", "text")
    out.shown_word(path + ".kind", f.get("kind"), KINDS)
    out.degrees(path + ".lat_e7", f.get("lat"))
    out.degrees(path + ".lon_e7", f.get("lon"))
    out.shown(path + ".title", f.get("title"))
    out.shown(path + ".text", f.get("text"))


def call(out, path, value):
    f = must_be(Object, value).fields("status", "target_user_id")
    out.word(path + ".status", f.get("status"), STATUSES)
    out.number(path + ".target_user_id", f.get("target_user_id"))


def voice(out, path, value):
    out.string(path + ".voice_id", must_be(Object, value).fields("voice_id").get("voice_id"))


PRINT = {"image": image, "link": link, "item": item_content, "location": location, "call": call,
         "voice": voice}


def content(out, path, value, message_type, known=("flow_id", *MEMBERS), only_shown=False):
    """Prints the content; returns its text, if it has one that counts. In the answer to a send all of it is
    only shown."""
    if value is None:
        return None
    path += ".content"
    f = must_be(Object, value).fields("text", *known)
    if only_shown:
        f = {"text": shown(f.get("text")), "image": shown_obj(f.get("image"))}
    f["flow_id"] = shown(f.get("flow_id"))
    for name in MEMBERS:
        f[name] = obj(f.get(name))
    members = [name for name in MEMBERS if f[name] is not None]
    for name in members:
        PRINT[name](Text(), "", f[name])  # checked even if another one is shown
    text = f.get("text")
    if members:
        name = members[0]
        out.line(path + ".kind", name.upper())
        out.line(f"{path}.{name}", "object")
        PRINT[name](out, f"{path}.{name}", f[name])
        return None
    if f["flow_id"] is not None or (message_type == "system" and text is not None):
        out.line(path + ".kind", "SYSTEM")
        out.string(path + ".flow_id", f["flow_id"])
        out.string(path + ".text", text)
        return text
    if text is not None:
        out.line(path + ".kind", "TEXT")
        out.string(path + ".text", text)
        return text
    return None


def quote(out, path, value):
    f = value.fields("id", "author_id", "created", "type", "content")
    path += ".quote"
    out.line(path, "object")
    out.shown(path + ".id", f.get("id"))
    out.shown_number(path + ".author_id", f.get("author_id"))
    out.shown_number(path + ".created", f.get("created"))
    out.shown_word(path + ".type", f.get("type"), TYPES)
    content(out, path, shown_obj(f.get("content")), shown(f.get("type")))


ASKED = "u2i-a"  # the chat whose messages are asked for: each message of the list has it


def message_of_list(out, path, value):
    message(out, path, value, chat_id=ASKED)


def message(out, path, value, of_service=False, chat_id=None):
    f = must_be(Object, value).fields(
        "id", "author_id", "created", "type", "direction", "content", "quote", "read", "delivered",
        "is_read", "chat_id", "user_id", "chat_type", "item_id", "published_at")
    out.string(path + ".id", f.get("id"))
    out.number(path + ".author_id", f.get("author_id"))
    out.number(path + ".created", f.get("created"))
    out.word(path + ".type", f.get("type"), TYPES)
    out.word(path + ".direction", f.get("direction"), DIRECTIONS)
    text = content(out, path, obj(f.get("content")), f.get("type")) or ""
    if shown_obj(f.get("quote")) is not None:
        quote(out, path, f["quote"])
    out.number(path + ".read", f.get("read"))
    out.number(path + ".delivered", f.get("delivered"))
    out.truth(path + ".is_read", f.get("is_read"))

    author = integer(f.get("author_id", 0))
    own = f.get("direction") == "out" or ("user_id" in f and author != 0
                                          and author == integer(f["user_id"]))
    out.flag(path + ".is_own", own)
    out.flag(path + ".is_system", f.get("type") == "system"
             or (not own and (of_service or f.get("chat_type") == "a2u"))
             or (author in (0, 1) and (f.get("direction") != "out" or text.startswith(SYSTEM_PREFIX))))
    out.flag(path + ".is_placeholder", text.startswith(PLACEHOLDER))

    out.string(path + ".chat_id", chat_id if chat_id is not None else f.get("chat_id"))
    out.number(path + ".user_id", f.get("user_id"))
    out.word(path + ".chat_type", f.get("chat_type"), CHAT_TYPES)
    out.number(path + ".item_id", f.get("item_id"))
    out.shown(path + ".published_at", f.get("published_at"))


def sent(out, path, value):
    f = must_be(Object, value).fields("id", "author_id", "created", "type", "direction", "content")
    must_have(f, "id")
    out.string(path + ".id", f.get("id"))
    out.shown_number(path + ".author_id", f.get("author_id"))
    out.shown_number(path + ".created", f.get("created"))
    out.shown_word(path + ".type", f.get("type"), TYPES)
    out.shown_word(path + ".direction", f.get("direction"), DIRECTIONS)
    content(out, path, shown_obj(f.get("content")), shown(f.get("type")), ("image",), True)
    out.flag(path + ".is_own", True)


def has_more(out, path, meta):
    if obj(meta) is not None:
        more = meta.fields("has_more").get("has_more")
        out.flag(path + ".has_more", more is not None and boolean(more))


def listed(value, key, *more):
    """The members of a list's answer; without the list it is no such answer."""
    if key not in [name for name, _ in must_be(Object, value)]:
        raise Missing()
    return value.fields(key, *more)


def messages(out, path, value):
    if isinstance(value, Object):
        f = listed(value, "messages", "meta")
        out.items(path, objects(f.get("messages")), message_of_list)
        has_more(out, path, f.get("meta"))
    else:
        out.items(path, objects(must_be(list, value)), message_of_list)


def avatar(out, path, value):
    f = value.fields("default", "images")
    out.line(path, "object")
    out.shown(path + ".default", f.get("default"))
    size_map(out, path + ".images", f.get("images"))


def user(out, path, value):
    f = value.fields("id", "name", "parsing_allowed", "public_user_profile")
    out.shown_number(path + ".id", f.get("id"))
    out.shown(path + ".name", f.get("name"))
    out.truth(path + ".parsing_allowed", lenient(boolean, f.get("parsing_allowed")))
    profile = shown_obj(f.get("public_user_profile"))
    if profile is not None:
        path += ".public_user_profile"
        p = profile.fields("user_id", "item_id", "avatar", "url")
        out.line(path, "object")
        out.shown_number(path + ".user_id", p.get("user_id"))
        out.shown_number(path + ".item_id", p.get("item_id"))
        if shown_obj(p.get("avatar")) is not None:
            avatar(out, path + ".avatar", p["avatar"])
        out.shown(path + ".url", p.get("url"))


def item(out, path, value):
    f = must_be(Object, value).fields("id", "user_id", "status_id", "title", "price_string", "url",
                                      "images", "location")
    out.line(path, "object")
    for name in ("id", "user_id", "status_id"):
        out.number(f"{path}.{name}", f.get(name))
    for name in ("title", "price_string", "url"):
        out.shown(f"{path}.{name}", f.get(name))
    images = shown_obj(f.get("images"))
    if images is not None:
        images = images.fields("main", "count")
        out.line(path + ".images", "object")
        size_map(out, path + ".images.main", images.get("main"))
        out.shown_number(path + ".images.images_count", images.get("count"))
    place = shown_obj(f.get("location"))
    if place is not None:
        place = place.fields("title", "lat", "lon")
        out.line(path + ".location", "object")
        out.shown(path + ".location.title", place.get("title"))
        out.degrees(path + ".location.lat_e7", place.get("lat"))
        out.degrees(path + ".location.lon_e7", place.get("lon"))


def typed(value, word, read):
    """The member "value" of an object, if its "type" is `word`. Before the type has come, what `read`
    cannot take is left out: LEFT_OUT."""
    f = value.fields("type", "value")
    if f.get("type") is not None:
        string(f["type"])
    names = [name for name, one in value if one is not None]
    first = "value" in names and ("type" not in names or names.index("value") < names.index("type"))
    if first:
        try:
            read(Text(), "", must_be(Object, f["value"]))
        except Fault as fault:
            if str(fault) not in ("MODEL", "DUPLICATE"):
                raise
            return LEFT_OUT if isinstance(f["value"], Object) else None
    if f.get("type") != word:
        return f.get("value") if first and "type" not in f else None
    return obj(f.get("value"))


LEFT_OUT = object()


def chat(out, path, value):
    f = must_be(Object, value).fields("id", "created", "updated", "context", "users",
                                      "last_message")
    out.string(path + ".id", f.get("id"))
    out.number(path + ".created", f.get("created"))
    out.number(path + ".updated", f.get("updated"))
    context = shown_obj(f.get("context"))
    if context is not None:
        listing = typed(context, "item", item)
        out.line(path + ".context", "object")
        kind = context.fields("type", "value").get("type")
        out.string(path + ".context.type", kind)
        if kind == "item" and listing not in (None, LEFT_OUT):
            item(out, path + ".context.item", listing)
    out.items(path + ".users", objects(f.get("users")), user)
    if obj(f.get("last_message")) is not None:
        out.line(path + ".last_message", "object")
        of_service = isinstance(f.get("id"), str) and f["id"].startswith("a2u-")
        message(out, path + ".last_message", f["last_message"], of_service)


def one_chat(out, path, value):
    chat(out, path, value)
    must_have(value.fields("id"), "id")


def chats(out, path, value):
    f = listed(value, "chats", "meta")
    out.items(path, objects(f.get("chats")), chat)
    has_more(out, path, f.get("meta"))


def event(out, path, value):
    f = must_be(Object, value).fields("id", "version", "timestamp", "payload", "chat_id")
    payload = obj(f.get("payload"))
    for name in ("id",):
        if f.get(name) is not None:
            string(f[name])
    if payload is None and shown(f.get("chat_id")) is not None:
        out.line(path + ".message", "object")
        message(out, path + ".message", value)
        return
    out.string(path + ".id", f.get("id"))
    out.shown(path + ".version", f.get("version"))
    out.number(path + ".timestamp", f.get("timestamp"))
    if payload is not None:
        one = typed(payload, "message", message)
        if one is LEFT_OUT and payload.fields("type", "value").get("type") in (None, "message"):
            raise Fault("MODEL")
        out.string(path + ".type", payload.fields("type", "value").get("type"))
        if one not in (None, LEFT_OUT):
            out.line(path + ".message", "object")
            message(out, path + ".message", one)


def token(out, path, value):
    f = must_be(Object, value).fields("access_token", "refresh_token", "token_type", "scope",
                                      "expires_in")
    if not f.get("access_token"):
        raise Fault("CREDENTIALS")  # some refusals come with status 200
    for name in ("access_token", "refresh_token"):
        out.string(f"{path}.{name}", f.get(name))
    out.shown(path + ".token_type", f.get("token_type"))
    out.shown(path + ".scope", f.get("scope"))
    out.number(path + ".expires_in", f.get("expires_in"))


def account(out, path, value):
    f = must_be(Object, value).fields("id", "name", "email", "phone", "phones", "profile_url")
    must_have(f, "id")
    out.number(path + ".id", f.get("id"))
    for name in ("name", "email", "phone"):
        out.shown(f"{path}.{name}", f.get(name))
    phones = f.get("phones")
    out.items(path + ".phones", must_be(list, phones) if type(phones) is list else [], text_one)
    out.shown(path + ".profile_url", f.get("profile_url"))


def subscription(out, path, value):
    f = value.fields("url", "version")
    out.string(path + ".url", f.get("url"))
    out.shown(path + ".version", f.get("version"))


def subscriptions(out, path, value):
    if isinstance(value, Object) and dict(value).get("ok") is True and "subscriptions" not in dict(value):
        return
    f = listed(value, "subscriptions")
    out.items(path, objects(f.get("subscriptions")), subscription)


def voice_file(out, path, pair):
    out.string(path + ".voice_id", pair[0])
    out.string(path + ".url", pair[1])


def voices(out, path, value):
    f = listed(value, "voices_urls")
    out.items(path, obj(f.get("voices_urls")) or [], voice_file)


def upload(out, path, value):
    pairs = must_be(Object, value)
    if not pairs or pairs[0][0] in ("id", "ok", "code", "message", "error", "error_description",
                                    "result", "errors"):
        raise Missing()
    out.string(path + ".image_id", pairs[0][0])
    for _, url in obj(pairs[0][1]) or []:
        if url is not None:
            string(url)  # what was asked for
    size_map(out, path + ".sizes", pairs[0][1])


def refuses(root, alone):
    """Whether an answer with a success status is a refusal. `alone`: a message alone counts as one, too."""
    if not isinstance(root, Object):
        return False
    top = dict(root)
    if isinstance(top.get("ok"), bool):
        if not top["ok"]:
            return True
        if not alone:
            return False
    done = dict(top["result"]) if isinstance(top.get("result"), Object) else {}
    if isinstance(done.get("error"), Object):
        return True
    if isinstance(done.get("status"), bool):
        if not done["status"]:
            return True
    elif any(isinstance(one, str) for one in (done.get("message"), first(done.get("messages")),
                                              done.get("error"))):
        return True
    error = top.get("error")
    if isinstance(error, Object) or (isinstance(error, str) and error) or first(top.get("errors")):
        return True
    said = isinstance(top.get("message"), str) or isinstance(top.get("error_description"), str)
    return error_body_code(top, done) != 0 or (alone and said)


def plain_success(_out, _path, value):
    if refuses(must_be(Object, value), False):
        raise Fault("REFUSED")


# ---- error bodies ----

def clip(data):
    """The part that fits an error's text: whole code points, '?' for invalid bytes, ' ' for control bytes."""
    data = bytes(0x20 if b < 0x20 or b == 0x7F else b for b in data[:ERROR_TEXT_BYTES])
    out, at = "", 0
    while at < len(data):
        for n in range(1, 5):
            try:
                out += data[at:at + n].decode("utf-8", "strict")
                break
            except UnicodeDecodeError as error:
                if error.reason == "unexpected end of data" and at + n < len(data):
                    continue
                if error.reason == "unexpected end of data":
                    return out
                out += "?"
                n = 1
                break
        at += n
    return out


def first(value):
    return value[0] if isinstance(value, list) and value and isinstance(value[0], str) else None


def error_body_code(top, done):
    inner = [dict(one) if isinstance(one, Object) else {} for one in (top.get("error"), done.get("error"))]
    for code in (inner[0].get("code"), top.get("code"), inner[1].get("code"), done.get("code")):
        if isinstance(code, str) and re.fullmatch("-?[0-9]+", code):
            code = int(code)
        if isinstance(code, int) and not isinstance(code, bool) and code != 0:
            return code
    return 0


def error_body(data):
    """(code, message) by the order of precedence of the known shapes. A body without any of them is
    its own message."""
    try:
        root = parse(data)
    except Fault:
        root = None
    if not isinstance(root, Object):
        return 0, data
    top = dict(root)
    error, result = top.get("error"), top.get("result")
    inner = dict(error) if isinstance(error, Object) else {}
    done = dict(result) if isinstance(result, Object) else {}
    deep = dict(done["error"]) if isinstance(done.get("error"), Object) else {}
    found = inner.get("message")
    if found is None and isinstance(error, str):
        found = top.get("error_description", error)
    word = done.get("error") if isinstance(done.get("error"), str) else None
    for other in (deep.get("message"), done.get("message"), first(done.get("messages")), word,
                  top.get("message"), first(top.get("errors"))):
        found = other if found is None else found
    return error_body_code(top, done), (found.encode("utf-8") if isinstance(found, str) else data)


# ---- files ----

ROOTS = {"chat": one_chat, "chats": chats, "messages": messages, "message": sent, "event": event,
         "token": token, "self": account, "subscriptions": subscriptions, "voices": voices,
         "upload": upload, "ok": plain_success}


def expectation(path):
    with open(path, "rb") as file:
        data = file.read()
    name = os.path.basename(path)
    if name.startswith("bad_"):
        name = name[4:]
    kind = re.match("[a-z]+", name).group(0)
    out = Text()
    if kind == "error":
        code, text = error_body(data)
        out.number("error.api_code", code)
        out.string("error.text", clip(text) or None)
        return "".join(line + "\n" for line in out.lines)
    try:
        if kind == "ok" and data.strip(b" \t\r\n") == b"":
            return "result = OK\n"
        value = parse(data[3:] if kind == "event" and data.startswith(b"\xef\xbb\xbf") else data)
        if kind == "event" and isinstance(value, Object) and not value:
            return "result = END\n"
        ROOTS[kind](out, kind, value)
    except Missing:
        return f"result = {'REFUSED' if refuses(value, True) else 'MODEL'}\n"
    except Fault as fault:
        return f"result = {fault}\n"
    return "result = OK\n" + "".join(line + "\n" for line in out.lines)


def fixtures():
    return sorted(path for path in glob.glob(os.path.join(DATA, "*"))
                  if path.endswith((".json", ".txt", ".html")))


def main():
    if sys.argv[1:] == ["--write"]:
        for path in fixtures():
            with open(os.path.splitext(path)[0] + ".expect", "w", encoding="ascii") as file:
                file.write(expectation(path))
        return 0
    if sys.argv[1:] == ["--check"]:
        failed = 0
        wanted = set()
        for path in fixtures():
            expect = os.path.splitext(path)[0] + ".expect"
            wanted.add(expect)
            good = False
            if os.path.exists(expect):
                with open(expect, encoding="utf-8") as file:
                    good = file.read() == expectation(path)
            if not good:
                print(f"not ok - {os.path.basename(expect)} is up to date (make expect)")
                failed += 1
        for stray in sorted(set(glob.glob(os.path.join(DATA, "*.expect"))) - wanted):
            print(f"not ok - {os.path.basename(stray)} belongs to no file")
            failed += 1
        if not failed and wanted:
            print(f"ok - {len(wanted)} expectations are what the independent decoder says")
        return 1 if failed or not wanted else 0
    for path in sys.argv[1:]:
        sys.stdout.write(expectation(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
