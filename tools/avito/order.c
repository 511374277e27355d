/* order.c - see order.h. */
#include "order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const order_words[ORDER_ACTS] = {"send", "image", "read", "delete", "block"};

#define TARGET_MAX  255u
#define JSON_MAX    16384u /* a text of 1,000 characters, all of them escaped */
#define JSON_TOKENS 48

/* ---- topics ---- */

static avito_str next_level(avito_str *topic)
{
    const char *slash = topic->len > 0 ? memchr(topic->ptr, '/', topic->len) : NULL;
    avito_str level = {topic->ptr, slash != NULL ? (size_t)(slash - topic->ptr) : topic->len};

    topic->ptr += level.len + (slash != NULL);
    topic->len -= level.len + (slash != NULL);
    return level;
}

bool order_topic(avito_str topic, avito_str *account, enum order_act *act, avito_str *target)
{
    const avito_str root = next_level(&topic);
    avito_str word;
    int a = 0;

    *account = next_level(&topic);
    word = next_level(&topic);
    *target = topic;
    while (a < ORDER_ACTS && !avito_str_equal(word, order_words[a])) {
        a++;
    }
    *act = (enum order_act)a;
    return avito_str_equal(root, "avito") && a < ORDER_ACTS && topic.ptr[-1] == '/' &&
           (topic.len == 0 || memchr(topic.ptr, '/', topic.len) == NULL);
}

bool order_escape(const char *id, char *out, size_t cap)
{
    size_t len = 0;

    for (; *id != '\0' && len + 4 <= cap; id++) {
        const unsigned char c = (unsigned char)*id;

        if (c < 0x21 || c == 0x7f || strchr("+#/%$", c) != NULL) {
            len += (size_t)snprintf(out + len, cap - len, "%%%02X", c);
        } else {
            out[len++] = *id;
        }
    }
    out[len] = '\0';
    return *id == '\0';
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) % 16 : -1;
}

/* Empty if it is not an id: it has to stand in JSON, too. */
static void unescape(avito_str level, char out[TARGET_MAX + 1])
{
    size_t len = 0;
    bool ok = level.len > 0;

    for (size_t i = 0; i < level.len && ok; i++) {
        int c = (unsigned char)level.ptr[i];

        if (c == '%') {
            const int high = i + 2 < level.len ? hex_digit(level.ptr[i + 1]) : -1,
                      low = high >= 0 ? hex_digit(level.ptr[i + 2]) : -1;

            ok = low >= 0;
            c = high * 16 + low;
            i += 2;
        }
        ok = ok && len < TARGET_MAX && c > ' ';
        out[len] = (char)c;
        len += ok;
    }
    ok = ok && mqtt_is_text((avito_str){out, len});
    out[ok ? len : 0] = '\0';
}

/* ---- what a command says ---- */

bool order_is_id(avito_str id)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t i = 0;

    while (i < id.len && id.ptr[i] != '\0' && strchr(allowed, id.ptr[i]) != NULL) {
        i++;
    }
    return id.len > 0 && id.len <= LEDGER_ID_MAX && i == id.len;
}

/* An order while it is being read: its strings still lie in their source. */
struct draft {
    order o;
    avito_str text;
    char target[TARGET_MAX + 1];
};

static void refuse(struct draft *d, sentence why)
{
    d->o.wrong = d->o.wrong != NULL ? d->o.wrong : say(why);
}

/* Takes a command's id, which may stand in a user property, in the JSON, or in both. */
static void take_id(struct draft *d, avito_str id)
{
    if (id.ptr == NULL) {
        return;
    }
    if (d->o.id[0] != '\0' && !avito_str_equal(id, d->o.id)) {
        refuse(d, TEXT("the user property and the JSON give two different ids",
                       "в user property и в JSON два разных id"));
        return;
    }
    if (!order_is_id(id)) {
        refuse(d,
               TEXT("the id has other characters than letters, digits, - and _, or over 64 of them",
                    "в id не только латинские буквы, цифры, - и _, или их больше 64"));
        return;
    }
    memcpy(d->o.id, id.ptr, id.len);
    d->o.id[id.len] = '\0';
}

static void take_reason(struct draft *d, avito_str word)
{
    static const char *const words[] = {"", "spam", "fraud", "insult", "other"};
    int reason = AVITO_REASON_SPAM;

    while (reason <= AVITO_REASON_OTHER && !avito_str_equal(word, words[reason])) {
        reason++;
    }
    d->o.reason = (avito_blacklist_reason)reason;
    if (reason > AVITO_REASON_OTHER) {
        refuse(d, TEXT("the reason is spam, fraud, insult or other",
                       "причина бывает spam, fraud, insult и other"));
    }
}

static int64_t number_of(const char *word)
{
    char *end;
    const long long number = strtoll(word, &end, 10);

    return *word >= '0' && *word <= '9' && *end == '\0' && strlen(word) < 19 ? number : 0;
}

/* ---- JSON ---- */

/* The members that an order may have, as bits. */
enum { HAS_ID = 1, HAS_TEXT = 2, HAS_MESSAGE = 4, HAS_REASON = 8, HAS_ITEM = 16 };

static const struct member {
    const char *key;
    int bit, acts; /* acts: bits of order_act */
} members[] = {
    {"id", HAS_ID, 1 << ORDER_SEND | 1 << ORDER_READ | 1 << ORDER_DELETE | 1 << ORDER_BLOCK},
    {"text", HAS_TEXT, 1 << ORDER_SEND},
    {"message_id", HAS_MESSAGE, 1 << ORDER_DELETE},
    {"reason", HAS_REASON, 1 << ORDER_BLOCK},
    {"item_id", HAS_ITEM, 1 << ORDER_BLOCK},
};

static int bit_of(avito_json_value key, enum order_act act)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (avito_json_is(key, members[i].key) && (members[i].acts & 1 << act) != 0) {
            return members[i].bit;
        }
    }
    return 0;
}

static void take_member(struct draft *d, int bit, avito_json_value value, avito_arena *arena)
{
    avito_str s = {NULL, 0};
    int rc = bit == HAS_ITEM ? avito_json_int(value, &d->o.item_id)
                             : avito_json_string(value, arena, &s, NULL);

    if (rc != AVITO_OK) {
        refuse(d,
               rc == AVITO_ERR_ARENA
                   ? TEXT("the text has over 1,000 characters", "в тексте больше 1000 знаков")
                   : TEXT("a member has another type than it must have", "поле имеет не тот вид"));
    } else if (bit == HAS_ID) {
        take_id(d, s);
    } else if (bit == HAS_REASON) {
        take_reason(d, s);
    } else if (bit != HAS_ITEM) {
        d->text = s;
    }
}

static void read_members(struct draft *d, avito_json_value object, avito_arena *arena)
{
    int seen = 0;

    for (avito_json_value v = avito_json_first(object); avito_json_type_of(v) != AVITO_JSON_NONE;
         v = avito_json_next(v)) {
        const int bit = bit_of(avito_json_key(v), d->o.act);

        if (bit == 0 || (seen & bit) != 0) {
            refuse(d, bit == 0 ? TEXT("it has a member that this command does not know",
                                      "есть поле, которого у этой команды нет")
                               : TEXT("a member stands twice", "поле указано дважды"));
            continue;
        }
        seen |= bit;
        take_member(d, bit, v, arena);
    }
}

static void read_json(struct draft *d, avito_str payload, avito_arena *arena)
{
    static char tokens[AVITO_JSON_TOKENS_SIZE(JSON_TOKENS)];
    avito_json json;
    const int rc = payload.len > JSON_MAX
                       ? AVITO_ERR_ROOM
                       : avito_json_parse(&json, payload.ptr, payload.len, tokens, sizeof tokens);

    if (rc != AVITO_OK) {
        refuse(d, rc == AVITO_ERR_ROOM
                      ? TEXT("the JSON is larger than any command", "JSON больше любой команды")
                      : TEXT("it begins with { and is not valid JSON",
                             "начинается с { и не является верным JSON"));
        return;
    }
    read_members(d, avito_json_root(&json), arena);
}

/* ---- images ---- */

const char *order_image_type(const void *data, size_t len)
{
    static const struct {
        const char *type, *bytes;
        size_t at, len;
    } rows[] = {
        {"image/jpeg", "\xff\xd8\xff", 0, 3}, {"image/png", "\x89PNG\r\n\x1a\n", 0, 8},
        {"image/gif", "GIF8", 0, 4},          {"image/bmp", "BM", 0, 2},
        {"image/heic", "ftypheic", 4, 8},     {"image/heic", "ftypheix", 4, 8},
        {"image/heic", "ftyphevc", 4, 8},     {"image/heic", "ftyphevx", 4, 8},
        {"image/heic", "ftypheim", 4, 8},     {"image/heic", "ftypheis", 4, 8},
        {"image/heic", "ftypmif1", 4, 8},     {"image/heic", "ftypmsf1", 4, 8},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (len >= rows[i].at + rows[i].len &&
            memcmp((const char *)data + rows[i].at, rows[i].bytes, rows[i].len) == 0) {
            return rows[i].type;
        }
    }
    return NULL;
}

static void check_image(struct draft *d, avito_str payload)
{
    if (payload.len > AVITO_IMAGE_MAX) {
        refuse(d, TEXT("the picture has over 24 MB, which the service does not take",
                       "картинка больше 24 МБ, сервис её не примет"));
    } else if (payload.ptr == NULL && payload.len > 0) {
        refuse(d, TEXT("the picture is larger than this gateway takes: see picture_max",
                       "картинка больше, чем принимает шлюз: см. picture_max"));
    } else if (order_image_type(payload.ptr, payload.len) == NULL) {
        refuse(d, TEXT("this is no JPEG, PNG, GIF, BMP or HEIC",
                       "это не JPEG, PNG, GIF, BMP и не HEIC"));
    }
}

/* ---- what must hold ---- */

static bool is_blank(avito_str text)
{
    size_t i = 0;

    while (i < text.len && strchr(" \t\r\n", text.ptr[i]) != NULL && text.ptr[i] != '\0') {
        i++;
    }
    return i == text.len;
}

static size_t characters(avito_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    }
    return count;
}

static void check_text(struct draft *d)
{
    if (is_blank(d->text)) {
        refuse(d, TEXT("the text is missing or blank", "текста нет, или он пуст"));
    } else if (!mqtt_is_text(d->text)) {
        refuse(d, TEXT("the text is not UTF-8, or holds a NUL",
                       "текст не в UTF-8 или содержит нулевой байт"));
    } else if (characters(d->text) > AVITO_TEXT_MAX) {
        refuse(d, TEXT("the text has over 1,000 characters", "в тексте больше 1000 знаков"));
    }
}

/* Checks what each act needs, now that all of it was read. */
static void check(struct draft *d, avito_str payload)
{
    switch (d->o.act) {
        case ORDER_SEND:
            check_text(d);
            break;
        case ORDER_IMAGE:
            check_image(d, payload);
            break;
        case ORDER_DELETE:
            if (is_blank(d->text) || !mqtt_is_text(d->text) || d->text.len > TARGET_MAX) {
                refuse(d, TEXT("the payload is the id of the message that is to be deleted",
                               "нужен id сообщения, которое удалить"));
            }
            break;
        case ORDER_BLOCK:
            d->o.user_id = number_of(d->target);
            if (d->o.user_id == 0) {
                refuse(d, TEXT("the topic ends in the user's number",
                               "тема должна кончаться номером пользователя"));
            }
            break;
        default:
            break;
    }
    if (d->target[0] == '\0') {
        refuse(d, TEXT("the topic does not end in an id, percent-escaped where MQTT needs it",
                       "тема не кончается номером чата, с процентами там, где они нужны MQTT"));
    }
}

/* The JSON of a payload; empty where it is none. An editor's byte order mark, or blanks, may stand before it: otherwise
 * it would reach a buyer as a text. */
static avito_str json_in(avito_str payload)
{
    size_t at = payload.len >= 3 && memcmp(payload.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (at < payload.len && payload.ptr[at] != '\0' &&
           strchr(" \t\r\n", payload.ptr[at]) != NULL) {
        at++;
    }
    payload.ptr += at;
    payload.len -= at;
    payload.len = payload.len > 0 && payload.ptr[0] == '{' ? payload.len : 0;
    return payload;
}

/* Reads a payload: JSON, a picture, or the plain text that the act takes. */
static void read_payload(struct draft *d, avito_str payload, avito_arena *arena)
{
    avito_str json;

    if (d->o.act == ORDER_IMAGE) {
        return;
    }
    if (payload.ptr == NULL && payload.len > 0) {
        refuse(d, TEXT("it is larger than any command", "больше любой команды"));
        return;
    }
    json = payload.len > 0 ? json_in(payload) : payload;
    if (json.len > 0) {
        read_json(d, json, arena);
    } else if (d->o.act == ORDER_BLOCK && !is_blank(payload)) {
        take_reason(d, payload);
    } else {
        d->text = payload;
    }
}

/* ---- in one piece of memory ---- */

static char *put(char **at, const char *data, size_t len)
{
    char *to = *at;

    if (len > 0) {
        memcpy(to, data, len);
    }
    to[len] = '\0';
    *at += len + 1;
    return to;
}

/* Copies the draft into one piece of memory. NULL: out of memory. */
static order *build(const struct draft *d, avito_str image, avito_str response)
{
    const avito_str text = d->o.wrong == NULL ? d->text : (avito_str){NULL, 0};
    const size_t target_len = strlen(d->target);
    order *o = malloc(sizeof *o + target_len + text.len + image.len + response.len +
                      d->o.correlation.len + 5);
    char *at;

    if (o == NULL) {
        return NULL;
    }
    *o = d->o;
    at = (char *)(o + 1);
    o->target = put(&at, d->target, target_len);
    o->text = put(&at, text.ptr, text.len);
    o->image = put(&at, image.ptr, image.len);
    o->image_len = image.len;
    o->response_topic = response.ptr != NULL ? put(&at, response.ptr, response.len) : NULL;
    o->correlation.ptr =
        d->o.correlation.ptr != NULL ? put(&at, d->o.correlation.ptr, d->o.correlation.len) : NULL;
    return o;
}

order *order_read(const mqtt_message *m, enum order_act act, avito_str target)
{
    static char room[JSON_MAX];
    static struct draft d;
    avito_arena arena = avito_arena_of(room, sizeof room);
    const avito_str none = {NULL, 0};

    memset(&d, 0, sizeof d);
    d.o.act = act;
    d.o.reason = AVITO_REASON_OTHER;
    d.o.correlation = m->correlation;
    unescape(target, d.target);
    take_id(&d, mqtt_property(m, "id"));
    if (m->retain) {
        refuse(
            &d,
            TEXT(
                "a retained command would be done again after each restart: send it without retain",
                "команда с retain выполнялась бы после каждого перезапуска: отправьте её без "
                "retain"));
    }
    read_payload(&d, m->payload, &arena);
    check(&d, m->payload);
    return build(&d, act == ORDER_IMAGE && d.o.wrong == NULL ? m->payload : none,
                 m->response_topic);
}

order *order_of_entry(const ledger_entry *e)
{
    static struct draft d;
    const avito_str none = {NULL, 0};
    int act = 0;

    memset(&d, 0, sizeof d);
    while (act < ORDER_ACTS - 1 && strcmp(order_words[act], e->act) != 0) {
        act++;
    }
    d.o.act = (enum order_act)act;
    memcpy(d.o.id, e->id, sizeof d.o.id);
    snprintf(d.target, sizeof d.target, "%s", e->target);
    d.text.ptr = e->text;
    d.text.len = strlen(e->text);
    return build(&d, none, none);
}
