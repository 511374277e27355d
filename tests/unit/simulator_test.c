/* simulator_test.c - the simulated service itself: every operation, every refusal, paging, the life
 * of tokens, limits, people, notifications. Requests are written by hand; shapes of answers are
 * compared with the samples in tests/data. HTTP and faults: simulator_http_test.c.
 * Rooms: none. */
#include "simulator_client.h"

#include <ctype.h>

/* ---------------------------------------------------------------- shapes
 *
 * The shape of a JSON text: members in order with the types of their values. Keys of maps become
 * one word, equal neighbours in maps one entry, an array is its first element. */

static const char *shape_key(const char *key)
{
    size_t digits = strspn(key, "0123456789");
    if (digits != 0 && key[digits] == 'x' && isdigit((unsigned char)key[digits + 1])) {
        return "WxH";
    }
    return digits > 2 || strlen(key) == 36 ? "ID" : key;
}

static void add_shape(const cJSON *v, char *out, size_t cap)
{
    size_t n = strlen(out);
    if (cJSON_IsObject(v)) {
        const char *last = "";
        const cJSON *m;
        (void)snprintf(out + n, cap - n, "{");
        cJSON_ArrayForEach(m, v)
        {
            const char *key = shape_key(m->string);
            if (strcmp(key, last) != 0) {
                n = strlen(out);
                (void)snprintf(out + n, cap - n, "%s:", key);
                add_shape(m, out, cap);
                n = strlen(out);
                (void)snprintf(out + n, cap - n, " ");
            }
            last = key[0] >= 'A' && key[0] <= 'Z' ? key : "";
        }
        n = strlen(out);
        (void)snprintf(out + n, cap - n, "}");
    } else if (cJSON_IsArray(v)) {
        (void)snprintf(out + n, cap - n, "[");
        add_shape(cJSON_GetArrayItem(v, 0), out, cap);
        n = strlen(out);
        (void)snprintf(out + n, cap - n, "]");
    } else {
        (void)snprintf(out + n, cap - n, "%s",
                       v == NULL           ? "nothing"
                       : cJSON_IsString(v) ? "s"
                       : cJSON_IsNumber(v) ? "n"
                       : cJSON_IsNull(v)   ? "null"
                                           : "b");
    }
}

static cJSON *sample(const char *name)
{
    char file[128];
    static char text[65536];
    (void)snprintf(file, sizeof file, "tests/data/%s.json", name);
    FILE *f = fopen(file, "rb");
    if (f == NULL) {
        print_error("%s cannot be read\n", file);
    }
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    return json;
}

/* The value at `where` in the answer has the shape of that at `sample_where` in the sample. */
static void same_shape(const cJSON *got, const char *where, const char *name,
                       const char *sample_where)
{
    char a[4096] = "", b[4096] = "";
    cJSON *json = sample(name);
    add_shape(at(got, where), a, sizeof a);
    add_shape(at(json, sample_where), b, sizeof b);
    if (strcmp(a, b) != 0) {
        print_error("%s:\n  got    %s\n  sample %s\n", name, a, b);
    }
    assert_string_equal(a, b);
    cJSON_Delete(json);
}

static void same_answer(reply r, const char *name)
{
    assert_status(r, 200);
    same_shape(r.json, "", name, "");
    reply_free(&r);
}

/* ---------------------------------------------------------------- operations */

static void test_self(void **state)
{
    world *w = *state;
    reply r = get(w, "/core/v1/accounts/self");
    assert_string_equal(text_at(&r, "name"), "Магазин");
    assert_true(number_at(&r, "id") == 350000001);
    same_answer(r, "self_full");
}

static void test_chat_has_the_recorded_shape(void **state)
{
    world *w = *state;
    (void)sim_buyer_writes(w->service, w->chat, "Здравствуйте!");
    reply r = get(w, path(w, "v2", "chats/%s"));
    assert_status(r, 200);
    same_shape(r.json, "", "chat_item_in", "");
    assert_string_equal(text_at(&r, "id"), w->chat);
    assert_string_equal(text_at(&r, "last_message.content.text"), "Здравствуйте!");
    assert_true(number_at(&r, "context.value.id") > 4294967296.0);
    assert_non_null(strstr(r.body, "\\u0026src=messenger")); /* as Go writes it */
    assert_null(strchr(r.body, '&'));
    reply_free(&r);

    r = get(w, path(w, "v2", "chats"));
    assert_status(r, 200);
    same_shape(r.json, "meta", "chats_two", "meta");
    same_shape(r.json, "chats.0", "chat_item_in", "");
    assert_int_equal(count_at(&r, "chats"), 1);
    assert_int_equal(count_at(&r, "chats.0.users"), 2);
    reply_free(&r);
}

static void test_chat_ids_look_recorded(void **state)
{
    world *w = *state;
    for (int i = 0; i < 50; i++) {
        const char *id = sim_add_chat(w->service, NULL);
        assert_int_equal(strlen(id), 26);
        assert_memory_equal(id, "u2i-", 4);
        assert_non_null(strchr("AQgw", id[25]));
    }
}

static void test_chat_without_item(void **state)
{
    world *w = *state;
    sim_chat_options o;
    memset(&o, 0, sizeof o);
    o.type = SIM_U2U;
    const char *id = sim_add_chat(w->service, &o);
    assert_memory_equal(id, "u2u-", 4);
    reply r = get(w, path(w, "v2", "chats"));
    assert_int_equal(count_at(&r, "chats"), 1); /* u2i is the default */
    reply_free(&r);
    r = get(w, path(w, "v2", "chats?chat_types=u2u"));
    assert_int_equal(count_at(&r, "chats"), 1);
    assert_string_equal(text_at(&r, "chats.0.id"), id);
    assert_null(at(r.json, "chats.0.context"));
    reply_free(&r);
    r = get(w, path(w, "v2", "chats?chat_types=u2u,u2i"));
    assert_int_equal(count_at(&r, "chats"), 2);
    reply_free(&r);
    r = get(w, path(w, "v2", "chats?chat_types=u2u&chat_types=u2i"));
    assert_int_equal(count_at(&r, "chats"), 2);
    reply_free(&r);
}

static const struct {
    sim_type type;
    const char *event; /* sample of a notification */
} kinds[] = {{SIM_TEXT, "event_wire"},           {SIM_IMAGE, "event_image"},
             {SIM_LINK, "event_link"},           {SIM_ITEM, "event_item"},
             {SIM_LOCATION, "event_location"},   {SIM_CALL, "event_call_missed"},
             {SIM_VOICE_MESSAGE, "event_voice"}, {SIM_SYSTEM, "event_system_flow"},
             {SIM_DELETED, "event_deleted"},     {SIM_APP_CALL, "event_app_call"},
             {SIM_FILE, "event_file"},           {SIM_VIDEO, "event_video"}};

static void test_messages_of_every_type(void **state)
{
    world *w = *state;
    assert_int_equal(sizeof kinds / sizeof *kinds, SIM_TYPE_COUNT);
    for (size_t i = 0; i < SIM_TYPE_COUNT; i++) {
        sim_message_options o;
        memset(&o, 0, sizeof o);
        o.type = kinds[i].type;
        o.text = o.type == SIM_TEXT ? "текст" : NULL;
        w->now += 1000;
        assert_non_null(sim_write(w->service, w->chat, &o));
        reply r = get(w, path(w, "v3", "chats/%s/messages/?limit=1"));
        assert_status(r, 200);
        assert_string_equal(text_at(&r, "messages.0.type"), sim_type_name(o.type));
        same_shape(r.json, "messages.0.content", kinds[i].event, "payload.value.content");
        reply_free(&r);
    }
}

static void test_both_envelopes(void **state)
{
    world *w = *state;
    (void)sim_buyer_writes(w->service, w->chat, "раз");
    const char *own = sim_app_writes(w->service, w->chat, "два");
    reply r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_status(r, 200);
    same_shape(r.json, "messages.0", "messages_object", "messages.0");
    same_shape(r.json, "meta", "messages_object", "meta");
    assert_string_equal(text_at(&r, "messages.0.id"), own);
    assert_string_equal(text_at(&r, "messages.0.direction"), "out");
    assert_string_equal(text_at(&r, "messages.1.direction"), "in");
    reply_free(&r);
    sim_live(w->service)->bare_array = true;
    r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_true(cJSON_IsArray(r.json));
    assert_string_equal(text_at(&r, "0.id"), own);
    reply_free(&r);
    sim_live(w->service)->bare_array = false;
    sim_live(w->service)->no_meta = true;
    r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_null(at(r.json, "meta"));
    reply_free(&r);
}

static void test_quote_nulls_and_ids_as_strings(void **state)
{
    world *w = *state;
    sim_message_options o;
    memset(&o, 0, sizeof o);
    o.quote_id = sim_buyer_writes(w->service, w->chat, "Есть?");
    o.author = SIM_APP;
    o.text = "Да";
    assert_non_null(sim_write(w->service, w->chat, &o));
    sim_live(w->service)->nulls = true;
    sim_live(w->service)->ids_as_strings = true;
    reply r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_string_equal(text_at(&r, "messages.0.quote.content.text"), "Есть?");
    assert_string_equal(text_at(&r, "messages.0.author_id"), ACCOUNT);
    assert_true(cJSON_IsNull(at(r.json, "messages.0.content.call")));
    assert_int_equal(cJSON_GetArraySize(at(r.json, "messages.0.content")), 8);
    reply_free(&r);
    o.quote_id = "00000000000000000000000000000000";
    assert_null(sim_write(w->service, w->chat, &o));
}

static void test_send(void **state)
{
    world *w = *state;
    reply r = post(w, path(w, "v1", "chats/%s/messages"),
                   "{\"message\":{\"text\":\"Да, есть \\ud83d\\ude00 & <b>\"},\"type\":\"text\"}");
    sim_message_info m;
    assert_true(sim_message_at(w->service, 0, &m));
    assert_string_equal(text_at(&r, "id"), m.id);
    assert_string_equal(m.text, "Да, есть 😀 & <b>");
    assert_int_equal(m.author, SIM_API);
    assert_int_equal(m.request, 2);
    assert_int_equal(m.created, START_MS / 1000);
    assert_non_null(strstr(r.body, "\\u0026 \\u003cb\\u003e"));
    assert_string_equal(text_at(&r, "direction"), "out");
    same_answer(r, "message_sent_text");
}

static void test_send_refusals(void **state)
{
    world *w = *state;
    const char *to = path(w, "v1", "chats/%s/messages");
    expect(post(w, to, "{\"message\":{\"text\":\"\"},\"type\":\"text\"}"), 400, "message.text");
    expect(post(w, to, "{\"message\":{\"text\":\" \\n\"},\"type\":\"text\"}"), 400, "message.text");
    expect(post(w, to, "{\"message\":{\"text\":7},\"type\":\"text\"}"), 400, "message.text");
    expect(post(w, to, "{\"message\":\"text\",\"type\":\"text\"}"), 400, "message.text");
    expect(post(w, to, "{\"type\":\"text\"}"), 400, "message.text");
    expect(post(w, to, "{\"message\":{\"text\":\"a\"}}"), 400, "type");
    expect(post(w, to, "{\"message\":{\"text\":\"a\"},\"type\":\"image\"}"), 400, "type");
    expect(post(w, to, "{\"message\":{\"text\":\"a\"},\"type\":\"text\""), 400, NULL);
    expect(post(w, to, "[1]"), 400, NULL);
    expect(post(w, to, "{\"message\":{\"text\":\"a\nb\"},\"type\":\"text\"}"), 400, NULL);
    expect(post(w, to, "{\"message\":{\"text\":\"a\\u0000b\"},\"type\":\"text\"}"), 400, NULL);
    expect(post(w, to, "{\"message\":{\"text\":\"\xC3\x28\"},\"type\":\"text\"}"), 400, NULL);
    expect(post(w, to, "{\"message\":{\"text\":\"\\ud83d\"},\"type\":\"text\"}"), 400, NULL);
    expect(post(w, to, "{\"message\":{\"text\":\"a\"},\"type\":\"text\"} x"), 400, NULL);
    expect(ask(w, "POST", to, FORM, "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}"), 400, NULL);
    expect(post(w, to, NULL), 400, NULL);
    expect(post(w, path(w, "v1", "chats/u2i-unknown/messages"),
                "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}"),
           404, NULL);
    expect(post(w, "/messenger/v1/accounts/1/chats/x/messages",
                "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}"),
           403, NULL);
    expect(post(w, "/messenger/v1/accounts/me/chats/x/messages",
                "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}"),
           400, "user_id");
    sim_message_info m;
    assert_false(sim_message_at(w->service, 0, &m)); /* nothing was stored */
}

/* 1000 code points, not bytes and not UTF-16 units. */
static void test_text_limit(void **state)
{
    world *w = *state;
    for (int emoji = 0; emoji < 2; emoji++) {
        for (int n = 1000; n <= 1001; n++) {
            char body[5000] = "{\"type\":\"text\",\"message\":{\"text\":\"";
            for (int i = 0; i < n; i++) {
                (void)strcat(body, emoji ? "😀" : "я");
            }
            (void)strcat(body, "\"}}");
            expect(post(w, path(w, "v1", "chats/%s/messages"), body), n == 1000 ? 200 : 400,
                   n == 1000 ? NULL : "message.text");
        }
    }
}

/* ---------------------------------------------------------------- images */

static reply upload(world *w, const char *name, const char *file_name, const void *data, size_t len)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "--xYz\r\nContent-Disposition: form-data; name=\"%s\"%s%s%s\r\n"
                     "Content-Type: image/png\r\n\r\n",
                     name, file_name != NULL ? "; filename=\"" : "",
                     file_name != NULL ? file_name : "", file_name != NULL ? "\"" : "");
    static const char end[] = "\r\n--xYz--\r\n";
    size_t body = (size_t)n + len + sizeof end - 1;
    char *text = malloc(body + 3000);
    int at_body = snprintf(text, 3000,
                           "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n"
                           "Content-Type: multipart/form-data; boundary=xYz\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           path(w, "v1", "uploadImages"), w->token, body);
    char *p = text + at_body;
    memcpy(p, head, (size_t)n);
    memcpy(p + n, data, len);
    memcpy(p + (size_t)n + len, end, sizeof end - 1);
    reply r = send_bytes(w, text, (size_t)at_body + body);
    free(text);
    return r;
}

static const char png[] =
    "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x20 and then the rest\r\n--xY";

static void test_upload_and_send_image(void **state)
{
    world *w = *state;
    reply r = upload(w, "uploadfile[]", "фото.png", png, sizeof png);
    assert_status(r, 200);
    same_shape(r.json, "", "upload_one", "");
    char id[64];
    (void)snprintf(id, sizeof id, "%s", r.json->child->string);
    reply_free(&r);
    sim_upload_info u;
    assert_true(sim_upload_at(w->service, 0, &u));
    assert_string_equal(u.image_id, id);
    assert_string_equal(u.format, "png");
    assert_string_equal(u.file_name, "фото.png");
    assert_int_equal(u.size, sizeof png);
    assert_int_equal(u.width, 16);
    assert_int_equal(u.height, 32);
    assert_true(u.fnv1a == sim_fnv1a(png, sizeof png));
    assert_int_equal(strspn(id, "0123456789"), 10);
    assert_int_equal(id[10], '.');

    char body[128];
    (void)snprintf(body, sizeof body, "{\"image_id\":\"%s\"}", id);
    r = post(w, path(w, "v1", "chats/%s/messages/image"), body);
    assert_non_null(strstr(r.body, id));
    same_answer(r, "message_sent_image");
    sim_message_info m;
    assert_true(sim_message_at(w->service, 0, &m));
    assert_string_equal(m.image_id, id);
    const char *to = path(w, "v1", "chats/%s/messages/image");
    expect(post(w, to, "{\"image_id\":\"12345.x\"}"), 400, "image_id");
    expect(post(w, to, "{\"imageId\":\"12345.x\"}"), 400, "image_id");
    assert_int_equal(sim_get_stats(w->service)->unknown_parameters, 1);
}

static void test_upload_formats(void **state)
{
    world *w = *state;
    static const struct {
        const char *format, *bytes;
        size_t len;
    } good[] = {
        {"jpeg", "\xFF\xD8\xFF\xE0\0\4ab\xFF\xC0\0\x11\x08\0\x30\0\x40\3\1\1\1\1\1\1\1\1\1", 27},
        {"gif", "GIF89a\x40\0\x30\0\0\0", 12},
        {"bmp", "BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\x40\0\0\0\x30\0\0\0", 26},
        {"heic",
         "\0\0\0\x18"
         "ftypheic\0\0\0\0",
         16}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        sim_upload_info u;
        expect(upload(w, "uploadfile[]", "a", good[i].bytes, good[i].len), 200, NULL);
        assert_true(sim_upload_at(w->service, i, &u));
        assert_string_equal(u.format, good[i].format);
        assert_int_equal(u.width, i == 3 ? 0 : 64);
        assert_int_equal(u.height, i == 3 ? 0 : 48);
    }
    static const char huge[] = "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0";
    expect(upload(w, "uploadfile[]", "a.png", huge, sizeof huge), 400, "uploadfile[]");
    expect(upload(w, "uploadfile[]", "a.webp", "RIFF....WEBPVP8 ", 16), 400, "uploadfile[]");
    expect(upload(w, "uploadfile[]", "a.png", "", 0), 400, "uploadfile[]");
    expect(upload(w, "uploadfile", "a.png", png, sizeof png), 400, "uploadfile[]");
    expect(upload(w, "image", "a.png", png, sizeof png), 400, "uploadfile[]");
    expect(upload(w, "uploadfile[]", NULL, png, sizeof png), 400, "uploadfile[]");
    expect(post(w, path(w, "v1", "uploadImages"), "{}"), 400, NULL);
    assert_false(sim_upload_at(w->service, 4, &(sim_upload_info){0}));
}

static void test_upload_too_large(void **state)
{
    world *w = *state;
    char big[2000];
    memset(big, 'x', sizeof big);
    memcpy(big, png, sizeof png);
    sim_live(w->service)->upload_max = sizeof big;
    expect(upload(w, "uploadfile[]", "a.png", big, sizeof big), 200, NULL);
    sim_live(w->service)->upload_max = sizeof big - 1;
    expect(upload(w, "uploadfile[]", "a.png", big, sizeof big), 413, NULL);
    /* Far too large: refused as soon as the head is there, and closed. */
    char text[3000];
    (void)snprintf(text, sizeof text,
                   "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: "
                   "multipart/form-data; boundary=xYz\r\nContent-Length: 99999999\r\n\r\n--xY",
                   path(w, "v1", "uploadImages"), w->token);
    reply r = send_text(w, text);
    assert_status(r, 413);
    assert_false(r.keep_alive);
    assert_null(w->conn);
    reply_free(&r);
}

/* ---------------------------------------------------------------- the other writes */

static void test_read_and_unread(void **state)
{
    world *w = *state;
    const char *second = sim_add_chat(w->service, NULL);
    (void)sim_buyer_writes(w->service, w->chat, "раз");
    (void)sim_app_writes(w->service, second, "из приложения");
    reply r = get(w, path(w, "v2", "chats?unread_only=true"));
    assert_int_equal(count_at(&r, "chats"), 1);
    assert_string_equal(text_at(&r, "chats.0.id"), w->chat);
    reply_free(&r);
    r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_true(cJSON_IsFalse(at(r.json, "messages.0.is_read")));
    assert_true(cJSON_IsNull(at(r.json, "messages.0.read")));
    reply_free(&r);
    r = get(w, path(w, "v2", "chats?unread_only=true")); /* reading the list marks nothing */
    assert_int_equal(count_at(&r, "chats"), 1);
    reply_free(&r);
    same_answer(post(w, path(w, "v1", "chats/%s/read"), NULL), "ok_true");
    r = get(w, path(w, "v2", "chats?unread_only=true"));
    assert_int_equal(count_at(&r, "chats"), 0);
    reply_free(&r);
    r = get(w, path(w, "v2", "chats?unread_only=false"));
    assert_int_equal(count_at(&r, "chats"), 2);
    reply_free(&r);
    r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_true(cJSON_IsTrue(at(r.json, "messages.0.is_read")));
    reply_free(&r);
    expect(post(w, path(w, "v1", "chats/u2i-x/read"), NULL), 404, NULL);
    sim_live(w->service)->empty_read_answer = true;
    r = post(w, path(w, "v1", "chats/%s/read"), NULL);
    assert_status(r, 200);
    assert_int_equal(r.len, 0);
    reply_free(&r);
}

static void test_read_by_the_buyer(void **state)
{
    world *w = *state;
    (void)sim_app_writes(w->service, w->chat, "ответ");
    w->now += 5000;
    assert_true(sim_buyer_reads(w->service, w->chat));
    reply r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_true(number_at(&r, "messages.0.read") == (double)(START_MS / 1000 + 5));
    reply_free(&r);
}

static const char *delete_path(world *w, const char *message)
{
    char rest[128];
    (void)snprintf(rest, sizeof rest, "chats/%%s/messages/%s", message);
    return path(w, "v1", rest);
}

static void test_delete(void **state)
{
    world *w = *state;
    const char *theirs = sim_buyer_writes(w->service, w->chat, "чужое");
    const char *own = sim_app_writes(w->service, w->chat, "своё");
    const char *old = sim_app_writes(w->service, w->chat, "старое");
    w->now += 3600000;
    same_answer(post(w, delete_path(w, own), NULL), "ok_empty_object");
    w->now += 1;
    expect(post(w, delete_path(w, old), NULL), 400, "message_id");
    expect(post(w, delete_path(w, theirs), NULL), 403, NULL);
    expect(post(w, delete_path(w, "0123456789abcdef0123456789abcdef"), NULL), 404, NULL);
    expect(ask(w, "DELETE", delete_path(w, own), NULL, NULL), 404, NULL);
    reply r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_int_equal(count_at(&r, "messages"), 3); /* the row stays */
    assert_string_equal(text_at(&r, "messages.1.id"), own);
    assert_string_equal(text_at(&r, "messages.1.type"), "deleted");
    assert_int_equal(cJSON_GetArraySize(at(r.json, "messages.1.content")), 0);
    reply_free(&r);
    sim_message_info m;
    assert_true(sim_find_message(w->service, own, &m));
    assert_true(m.deleted);
    assert_string_equal(m.text, "своё");
}

static void test_voice(void **state)
{
    world *w = *state;
    sim_message_options o;
    memset(&o, 0, sizeof o);
    o.type = SIM_VOICE_MESSAGE;
    char ids[2][40];
    for (int i = 0; i < 2; i++) {
        (void)sim_write(w->service, w->chat, &o);
        reply r = get(w, path(w, "v3", "chats/%s/messages/?limit=1"));
        (void)snprintf(ids[i], sizeof ids[i], "%s",
                       text_at(&r, "messages.0.content.voice.voice_id"));
        assert_int_equal(strlen(ids[i]), 36);
        reply_free(&r);
    }
    char rest[256];
    const char *forms[] = {"getVoiceFiles?voice_ids=%s&voice_ids=%s",
                           "getVoiceFiles?voice_ids=%s,%s", "getVoiceFiles?voice_ids=%s%%2C%s"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(rest, sizeof rest, forms[i], ids[0], ids[1]);
        reply r = get(w, path(w, "v1", rest));
        assert_int_equal(count_at(&r, "voices_urls"), 2);
        assert_non_null(strstr(r.body, ".mp4?expires=1754919887\\u0026sign="));
        same_answer(r, "voices_two");
    }
    reply r = get(w, path(w, "v1", "getVoiceFiles?voice_ids=unknown"));
    assert_int_equal(count_at(&r, "voices_urls"), 0);
    reply_free(&r);
    expect(get(w, path(w, "v1", "getVoiceFiles")), 400, "voice_ids");
    expect(get(w, path(w, "v1", "getVoiceFiles?voice_ids=")), 400, "voice_ids");
}

static void test_blacklist(void **state)
{
    world *w = *state;
    const char *to = path(w, "v2", "blacklist");
    reply r = post(w, to,
                   "{\"users\":[{\"user_id\":94235311,\"context\":{\"item_id\":7463793900,"
                   "\"reason_id\":4}},{\"user_id\":2}]}");
    assert_status(r, 200);
    assert_int_equal(r.len, 0);
    reply_free(&r);
    sim_blocked_info b;
    assert_true(sim_blocked_at(w->service, 0, &b));
    assert_int_equal(b.user_id, 94235311);
    assert_true(b.item_id == 7463793900);
    assert_int_equal(b.reason_id, 4);
    assert_true(sim_blocked_at(w->service, 1, &b));
    assert_int_equal(b.reason_id, 0);
    const char *reason = "users[].context.reason_id";
    expect(post(w, to, "{\"users\":[{\"user_id\":1,\"context\":{\"reason_id\":0}}]}"), 400, reason);
    expect(post(w, to, "{\"users\":[{\"user_id\":1,\"context\":{\"reason_id\":5}}]}"), 400, reason);
    expect(post(w, to, "{\"users\":[{\"user_id\":1,\"context\":{\"reason_id\":\"1\"}}]}"), 400,
           reason);
    expect(post(w, to, "{\"users\":[{\"user_id\":1,\"context\":7}]}"), 400, NULL);
    expect(post(w, to, "{\"users\":[{}]}"), 400, "users[].user_id");
    expect(post(w, to, "{\"users\":[{\"user_id\":1.5}]}"), 400, "users[].user_id");
    expect(post(w, to, "{\"users\":[]}"), 400, "users");
    expect(post(w, to, "{\"users\":{}}"), 400, "users");
    expect(post(w, to, "{}"), 400, "users");
    assert_false(sim_blocked_at(w->service, 2, &b));
}

/* ---------------------------------------------------------------- lists */

static void test_paging(void **state)
{
    world *w = *state;
    char text[16];
    for (int i = 0; i < 25; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        (void)sim_buyer_writes(w->service, w->chat, text); /* all in one millisecond */
    }
    int next = 24;
    for (int offset = 0; offset < 40; offset += 10) {
        char rest[64];
        (void)snprintf(rest, sizeof rest, "chats/%%s/messages/?limit=10&offset=%d", offset);
        reply r = get(w, path(w, "v3", rest));
        assert_status(r, 200);
        size_t count = count_at(&r, "messages");
        assert_int_equal(count, offset < 20 ? 10 : offset == 20 ? 5 : 0);
        assert_int_equal(cJSON_IsTrue(at(r.json, "meta.has_more")), offset < 15 ? 1 : 0);
        for (size_t i = 0; i < count; i++) { /* newest first, none twice, none left out */
            (void)snprintf(rest, sizeof rest, "messages.%zu.content.text", i);
            assert_int_equal(atoi(text_at(&r, rest)), next--);
        }
        reply_free(&r);
    }
    assert_int_equal(next, -1);
}

static void test_has_more_at_the_border(void **state)
{
    world *w = *state;
    for (int i = 0; i < 2; i++) {
        (void)sim_buyer_writes(w->service, w->chat, "x");
    }
    reply r = get(w, path(w, "v3", "chats/%s/messages/?limit=2"));
    assert_true(cJSON_IsFalse(at(r.json, "meta.has_more")));
    reply_free(&r);
    r = get(w, path(w, "v3", "chats/%s/messages/?limit=1"));
    assert_true(cJSON_IsTrue(at(r.json, "meta.has_more")));
    reply_free(&r);
}

static void test_chats_newest_first(void **state)
{
    world *w = *state;
    const char *ids[4];
    for (int i = 0; i < 4; i++) {
        w->now += 1000;
        ids[i] = sim_add_chat(w->service, NULL);
    }
    w->now += 1000;
    (void)sim_buyer_writes(w->service, ids[1], "!");
    reply r = get(w, path(w, "v2", "chats?limit=3"));
    assert_string_equal(text_at(&r, "chats.0.id"), ids[1]);
    assert_string_equal(text_at(&r, "chats.1.id"), ids[3]);
    assert_string_equal(text_at(&r, "chats.2.id"), ids[2]);
    assert_true(cJSON_IsTrue(at(r.json, "meta.has_more")));
    assert_true(number_at(&r, "chats.0.updated") == (double)(START_MS / 1000 + 5));
    reply_free(&r);
    r = get(w, path(w, "v2", "chats?limit=3&offset=3"));
    assert_int_equal(count_at(&r, "chats"), 2);
    assert_string_equal(text_at(&r, "chats.0.id"), ids[0]);
    assert_string_equal(text_at(&r, "chats.1.id"), w->chat);
    reply_free(&r);
}

static void test_item_filter(void **state)
{
    world *w = *state;
    sim_chat_options o;
    memset(&o, 0, sizeof o);
    o.item_id = 7463793900;
    const char *one = sim_add_chat(w->service, &o);
    o.item_id = 5;
    (void)sim_add_chat(w->service, &o);
    reply r = get(w, path(w, "v2", "chats?item_ids=7463793900"));
    assert_int_equal(count_at(&r, "chats"), 1);
    assert_string_equal(text_at(&r, "chats.0.id"), one);
    reply_free(&r);
    const char *both[] = {"chats?item_ids=7463793900,5", "chats?item_ids=5&item_ids=7463793900",
                          "chats?item_ids=5%2C7463793900"};
    for (size_t i = 0; i < 3; i++) {
        r = get(w, path(w, "v2", both[i]));
        assert_int_equal(count_at(&r, "chats"), 2);
        reply_free(&r);
    }
    r = get(w, path(w, "v2", "chats?item_ids=746379390"));
    assert_int_equal(count_at(&r, "chats"), 0);
    reply_free(&r);
}

static void test_query_refusals(void **state)
{
    world *w = *state;
    static const struct {
        const char *query, *field;
    } bad[] = {{"limit=0", "limit"},
               {"limit=101", "limit"},
               {"limit=", "limit"},
               {"limit=1x", "limit"},
               {"limit=-1", "limit"},
               {"limit=1&limit=1", "limit"},
               {"offset=-1", "offset"},
               {"offset=1001", "offset"},
               {"offset=1e2", "offset"},
               {"unread_only=True", "unread_only"},
               {"unread_only=1", "unread_only"},
               {"chat_types=u2x", "chat_types"},
               {"chat_types=u2i,", "chat_types"},
               {"chat_types=", "chat_types"},
               {"item_ids=a", "item_ids"},
               {"item_ids=1,,2", "item_ids"},
               {"item_ids=0", "item_ids"},
               {"limit", NULL},
               {"limit=1&", NULL},
               {"=1", NULL},
               {"limit=%3", NULL},
               {"limit=%zz", NULL},
               {"limit=%ff", NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char rest[64];
        (void)snprintf(rest, sizeof rest, "chats?%s", bad[i].query);
        expect(get(w, path(w, "v2", rest)), 400, bad[i].field);
    }
    expect(get(w, path(w, "v2", "chats?limit=100&offset=1000")), 200, NULL);
    expect(get(w, path(w, "v2", "chats?limit=1&offset=0")), 200, NULL);
    assert_int_equal(sim_get_stats(w->service)->unknown_parameters, 0);
    expect(get(w, path(w, "v2", "chats?size=1")), 200, NULL);
    assert_int_equal(sim_get_stats(w->service)->unknown_parameters, 1);
}

/* ---------------------------------------------------------------- routes */

static void no_route(world *w, const char *method, const char *target)
{
    reply r = ask(w, method, target, NULL, NULL);
    assert_status(r, 404);
    assert_string_equal(text_at(&r, "message"), "no Route matched with those values");
    reply_free(&r);
}

static void test_routes(void **state)
{
    world *w = *state;
    no_route(w, "GET", "/");
    no_route(w, "GET", "/messenger/v1/subscriptions"); /* it is a POST */
    no_route(w, "GET", "/token");
    no_route(w, "POST", "/messenger/v1/webhooks");
    no_route(w, "POST", "/messenger/v2/webhook");
    no_route(w, "POST", path(w, "v3", "chats/%s/messages/"));
    no_route(w, "GET", path(w, "v1", "chats/%s/messages"));
    no_route(w, "GET", path(w, "v1", "chats"));
    no_route(w, "GET", path(w, "v2", "chats/"));
    no_route(w, "GET", path(w, "v2", "chats//"));
    no_route(w, "PUT", path(w, "v2", "chats"));
    no_route(w, "GET", path(w, "v1", "voice/files"));
    assert_int_equal(sim_get_stats(w->service)->unofficial_paths, 0);
    expect(get(w, path(w, "v3", "chats/%s/messages")), 200, NULL);
    expect(get(w, "/core/v1/accounts/self/"), 200, NULL);
    assert_int_equal(sim_get_stats(w->service)->unofficial_paths, 2);
    expect(get(w, path(w, "v3", "chats/%2e%2e/messages/")), 404, NULL);
    expect(get(w, path(w, "v2", "chats/a%2Fb")), 404, NULL);
    char id[40];
    (void)snprintf(id, sizeof id, "chats/%%75%s", w->chat + 1); /* %75 is u */
    expect(get(w, path(w, "v2", id)), 200, NULL);
    sim_live(w->service)->host = "api.avito.ru";
    expect(get(w, path(w, "v2", "chats")), 200, NULL);
    sim_live(w->service)->host = "other.example";
    no_route(w, "GET", path(w, "v2", "chats"));
}

/* ---------------------------------------------------------------- tokens */

static void expect_oauth(reply r, int status, const char *error)
{
    assert_status(r, status);
    assert_string_equal(text_at(&r, "error"), error);
    reply_free(&r);
}

static void test_token_client_credentials(void **state)
{
    world *w = *state;
    reply r = ask_token(w, "grant_type=client_credentials&" CREDENTIALS);
    assert_int_equal(strlen(text_at(&r, "access_token")), 40);
    assert_true(number_at(&r, "expires_in") == 86400);
    same_answer(r, "token_client");
    expect_oauth(ask_token(w, "grant_type=client_credentials&client_id=x&client_secret=y"), 401,
                 "invalid_client");
    expect_oauth(ask_token(w, "grant_type=password&" CREDENTIALS), 400, "invalid_request");
    expect_oauth(ask_token(w, "grant_type=client_credentials&client_id=x"), 400, "invalid_request");
    expect_oauth(ask_token(w, CREDENTIALS), 400, "invalid_request");
    expect_oauth(
        ask_token(w, "grant_type=client_credentials&grant_type=client_credentials&" CREDENTIALS),
        400, "invalid_request");
    expect_oauth(ask(w, "POST", "/token", JSON, "{\"grant_type\":\"client_credentials\"}"), 400,
                 "invalid_request");
    expect_oauth(ask(w, "POST", "/token?" CREDENTIALS, FORM, "grant_type=client_credentials"), 400,
                 "invalid_request");
    sim_live(w->service)->token_errors_as_200 = true;
    expect_oauth(ask_token(w, "grant_type=client_credentials&client_id=x&client_secret=y"), 200,
                 "invalid_client");
    expect(ask_token(w, "grant_type=client%5Fcredentials&" CREDENTIALS), 200, NULL);
    assert_int_equal(sim_get_stats(w->service)->tokens_issued, 3);
}

static void test_token_life(void **state)
{
    world *w = *state;
    w->now += 86400000 - 1;
    expect(get(w, "/core/v1/accounts/self"), 200, NULL);
    w->now += 1;
    reply r = get(w, "/core/v1/accounts/self");
    assert_status(r, 403);
    same_shape(r.json, "", "error_token_expired", "");
    assert_string_equal(text_at(&r, "result.message"), "access token expired");
    reply_free(&r);
    log_in(w);
    expect(get(w, "/core/v1/accounts/self"), 200, NULL);
    sim_revoke_tokens(w->service);
    r = get(w, "/core/v1/accounts/self");
    assert_status(r, 401);
    same_shape(r.json, "", "error_spec_401", "");
    reply_free(&r);
    log_in(w);
    sim_expire_tokens(w->service);
    expect(get(w, "/core/v1/accounts/self"), 403, NULL);
    w->token[0] = '\0';
    expect(get(w, "/core/v1/accounts/self"), 401, NULL);
    (void)strcpy(w->token, "never-given");
    expect(get(w, "/core/v1/accounts/self"), 401, NULL);
}

static void test_token_kills_former(void **state)
{
    world *w = *state;
    char former[sizeof w->token];
    (void)snprintf(former, sizeof former, "%s", w->token);
    log_in(w);
    assert_string_not_equal(former, w->token);
    char later[sizeof w->token];
    (void)snprintf(later, sizeof later, "%s", w->token);
    (void)strcpy(w->token, former);
    expect(get(w, "/core/v1/accounts/self"), 200, NULL); /* both live */
    sim_live(w->service)->token_kills_former = true;
    log_in(w);
    expect(get(w, "/core/v1/accounts/self"), 200, NULL);
    (void)strcpy(w->token, later);
    expect(get(w, "/core/v1/accounts/self"), 401, NULL);
}

static void test_authorization_code_and_refresh(void **state)
{
    world *w = *state;
    char form[400], refresh[64];
    const char *code = sim_grant_code(w->service, "messenger:read,messenger:write");
    (void)snprintf(form, sizeof form, "grant_type=authorization_code&code=%s&" CREDENTIALS, code);
    reply r = ask_token(w, form);
    assert_string_equal(text_at(&r, "scope"), "messenger:read,messenger:write");
    (void)snprintf(refresh, sizeof refresh, "%s", text_at(&r, "refresh_token"));
    (void)snprintf(w->token, sizeof w->token, "%s", text_at(&r, "access_token"));
    same_answer(r, "token_code");
    expect(get(w, path(w, "v2", "chats")), 200, NULL);
    expect(get(w, "/core/v1/accounts/self"), 403, NULL);    /* user:read was not granted */
    expect_oauth(ask_token(w, form), 400, "invalid_grant"); /* good once */

    (void)snprintf(form, sizeof form, "grant_type=refresh_token&refresh_token=%s&" CREDENTIALS,
                   refresh);
    r = ask_token(w, form);
    assert_string_not_equal(text_at(&r, "refresh_token"), refresh); /* both change */
    assert_string_not_equal(text_at(&r, "access_token"), w->token);
    same_answer(r, "token_code");
    expect_oauth(ask_token(w, form), 400, "invalid_grant"); /* spent */
    expect_oauth(ask_token(w, "grant_type=refresh_token&refresh_token=x&" CREDENTIALS), 400,
                 "invalid_grant");
    expect_oauth(ask_token(w, "grant_type=refresh_token&" CREDENTIALS), 400, "invalid_request");
    code = sim_grant_code(w->service, "messenger:read");
    (void)snprintf(form, sizeof form, "grant_type=authorization_code&code=%s&" CREDENTIALS, code);
    w->now += 600000;
    expect_oauth(ask_token(w, form), 400, "invalid_grant"); /* too late */
}

static void test_read_only_scope(void **state)
{
    world *w = *state;
    char form[400];
    (void)snprintf(form, sizeof form, "grant_type=authorization_code&code=%s&" CREDENTIALS,
                   sim_grant_code(w->service, "messenger:read"));
    reply r = ask_token(w, form);
    (void)snprintf(w->token, sizeof w->token, "%s", text_at(&r, "access_token"));
    reply_free(&r);
    expect(get(w, path(w, "v2", "chats")), 200, NULL);
    expect(post(w, path(w, "v1", "chats/%s/messages"),
                "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}"),
           403, NULL);
}

/* ---------------------------------------------------------------- limits and tariff */

static void test_rate_limit(void **state)
{
    world *w = *state;
    sim_options *o = sim_live(w->service);
    w->now = START_MS / 60000 * 60000; /* a full minute */
    o->rate_per_minute = 3;
    o->rate_headers = true;
    want_header = "X-RateLimit-Remaining";
    for (int i = 2; i >= 0; i--) {
        reply r = get(w, "/core/v1/accounts/self");
        assert_status(r, 200);
        assert_int_equal(atoi(r.header), i);
        reply_free(&r);
    }
    w->now += 45000;
    want_header = "Retry-After";
    reply r = get(w, "/core/v1/accounts/self");
    assert_status(r, 429);
    assert_string_equal(text_at(&r, "message"), "API rate limit exceeded");
    assert_string_equal(r.header, "");
    reply_free(&r);
    o->retry_after = SIM_RETRY_AFTER_SECONDS;
    r = get(w, "/core/v1/accounts/self");
    assert_string_equal(r.header, "15");
    reply_free(&r);
    o->retry_after = SIM_RETRY_AFTER_DATE;
    r = get(w, "/core/v1/accounts/self");
    assert_string_equal(r.header, "Mon, 11 Aug 2025 12:45:00 GMT");
    reply_free(&r);
    want_header = "";
    log_in(w); /* not counted */
    w->now += 15000;
    expect(get(w, "/core/v1/accounts/self"), 200, NULL);
    const sim_stats *t = sim_get_stats(w->service);
    assert_int_equal(t->limited, 3);
    assert_int_equal(t->max_per_second, 3);
    assert_int_equal(t->max_per_minute, 6);
    assert_int_equal(t->by_operation[SIM_SELF], 7);
    assert_int_equal(t->served[SIM_SELF], 4);
    assert_int_equal(t->by_operation[SIM_TOKEN], 2);
    assert_int_equal(t->by_status[429], 3);
}

static void test_tariff(void **state)
{
    world *w = *state;
    static const char stub[] = "Перейдите на подписку с API мессенджера";
    (void)sim_buyer_writes(w->service, w->chat, "тайна");
    const char *send = "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}";
    for (int t = SIM_TARIFF_PLACEHOLDER; t <= SIM_TARIFF_402; t++) {
        sim_live(w->service)->tariff = (sim_tariff)t;
        reply r = get(w, path(w, "v2", "chats"));
        assert_status(r, 200);
        assert_null(strstr(r.body, "тайна"));
        assert_memory_equal(text_at(&r, "chats.0.last_message.content.text"), stub,
                            sizeof stub - 1);
        reply_free(&r);
        r = get(w, path(w, "v3", "chats/%s/messages/"));
        assert_status(r, t == SIM_TARIFF_402 ? 402 : 200);
        assert_null(strstr(r.body, "тайна"));
        reply_free(&r);
        r = post(w, path(w, "v1", "chats/%s/messages"), send);
        assert_status(r, 402);
        same_shape(r.json, "", "error_spec_402", "");
        assert_non_null(strstr(r.body, "подписку"));
        reply_free(&r);
        expect(get(w, "/core/v1/accounts/self"), 200, NULL);
    }
    assert_false(sim_message_at(w->service, 1, &(sim_message_info){0}));
}

/* ---------------------------------------------------------------- people and time */

static void test_late_visibility(void **state)
{
    world *w = *state;
    sim_message_options o;
    sim_chat_info c;
    memset(&o, 0, sizeof o);
    o.text = "поздно";
    o.visible_after_ms = 3000;
    (void)sim_write(w->service, w->chat, &o);
    w->now += 1000;
    const char *prompt = sim_buyer_writes(w->service, w->chat, "сразу");
    assert_true(sim_find_chat(w->service, w->chat, &c));
    assert_int_equal(c.messages, 1);
    assert_int_equal(c.unread, 1);
    assert_true(sim_next_event_ms(w->service) == START_MS + 3000);
    w->now = START_MS + 2999;
    reply r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_int_equal(count_at(&r, "messages"), 1);
    reply_free(&r);
    w->now++;
    r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_int_equal(count_at(&r, "messages"), 2);
    assert_string_equal(text_at(&r, "messages.0.id"), prompt); /* it was written earlier */
    assert_string_equal(text_at(&r, "messages.1.content.text"), "поздно");
    reply_free(&r);
    assert_true(sim_next_event_ms(w->service) == INT64_MAX);
    sim_live(w->service)->visible_after_ms = 500;
    expect(post(w, path(w, "v1", "chats/%s/messages"),
                "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}"),
           200, NULL);
    assert_true(sim_find_chat(w->service, w->chat, &c));
    assert_int_equal(c.messages, 2);
    w->now += 500;
    assert_true(sim_find_chat(w->service, w->chat, &c));
    assert_int_equal(c.messages, 3);
}

static void test_trimmed_text(void **state)
{
    world *w = *state;
    sim_live(w->service)->trim_text = true;
    reply r = post(w, path(w, "v1", "chats/%s/messages"),
                   "{\"message\":{\"text\":\" \\n да \\t\"},\"type\":\"text\"}");
    assert_string_equal(text_at(&r, "content.text"), "да");
    reply_free(&r);
    sim_message_info m;
    assert_true(sim_message_at(w->service, 0, &m));
    assert_string_equal(m.text, "да");
    assert_string_equal(m.sent_text, " \n да \t");
}

static void test_person_in_the_app(void **state)
{
    world *w = *state;
    sim_message_info m;
    (void)sim_buyer_writes(w->service, w->chat, "вопрос");
    const char *id = sim_app_writes(w->service, w->chat, "ответ");
    assert_true(sim_message_at(w->service, 0, &m));
    assert_true(m.is_read); /* a person who answers has read the chat */
    assert_int_equal(m.author, SIM_BUYER);
    assert_true(sim_find_message(w->service, id, &m));
    assert_int_equal(m.author, SIM_APP);
    assert_int_equal(m.author_id, 350000001);
    assert_int_equal(m.request, 0);
    assert_null(sim_app_writes(w->service, "u2i-x", "a"));
    assert_false(sim_app_reads(w->service, "u2i-x"));
    assert_null(sim_add_chat(w->service, &(sim_chat_options){.id = w->chat}));
}

/* ---------------------------------------------------------------- notifications */

static void subscribe(world *w, const char *url)
{
    char body[128];
    (void)snprintf(body, sizeof body, "{\"url\":\"%s\"}", url);
    same_answer(post(w, "/messenger/v3/webhook", body), "ok_true");
}

static void test_subscriptions(void **state)
{
    world *w = *state;
    same_answer(post(w, "/messenger/v1/subscriptions", NULL), "subscriptions_empty");
    subscribe(w, "https://example.com/a?b=1&c");
    subscribe(w, "https://example.com/a?b=1&c");
    subscribe(w, "http://127.0.0.1:8080/x");
    reply r = post(w, "/messenger/v1/subscriptions", NULL);
    assert_int_equal(count_at(&r, "subscriptions"), 2);
    assert_string_equal(text_at(&r, "subscriptions.0.url"), "https://example.com/a?b=1&c");
    same_answer(r, "subscriptions_one");
    expect(post(w, "/messenger/v3/webhook", "{\"url\":\"example.com\"}"), 400, "url");
    expect(post(w, "/messenger/v3/webhook", "{\"url\":\"https://\"}"), 400, "url");
    expect(post(w, "/messenger/v3/webhook", "{\"url\":\"https://a b\"}"), 400, "url");
    expect(post(w, "/messenger/v3/webhook", "{}"), 400, "url");
    same_answer(
        post(w, "/messenger/v1/webhook/unsubscribe", "{\"url\":\"https://example.com/a?b=1&c\"}"),
        "ok_true");
    assert_string_equal(sim_subscription_at(w->service, 0), "http://127.0.0.1:8080/x");
    assert_null(sim_subscription_at(w->service, 1));
}

static void test_notifications_look_recorded(void **state)
{
    world *w = *state;
    subscribe(w, "http://127.0.0.1:1/hook");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        sim_message_options o;
        sim_webhook h;
        memset(&o, 0, sizeof o);
        o.type = kinds[i].type;
        o.text = o.type == SIM_TEXT ? "Здравствуйте!" : NULL;
        const char *id = sim_write(w->service, w->chat, &o);
        assert_true(sim_next_webhook(w->service, &h));
        assert_string_equal(h.message_id, id);
        assert_string_equal(h.url, "http://127.0.0.1:1/hook");
        assert_int_equal(strlen(h.signature), 64);
        assert_int_equal(h.attempt, 1);
        assert_int_equal(strlen(h.body), h.body_len);
        cJSON *json = cJSON_Parse(h.body);
        same_shape(json, "", kinds[i].event, "");
        assert_string_equal(at(json, "payload.value.published_at")->valuestring,
                            "2025-08-11T12:44:47Z");
        cJSON_Delete(json);
        sim_webhook_answered(w->service, h.id, 200);
        assert_false(sim_next_webhook(w->service, &h));
    }
    assert_int_equal(sim_get_stats(w->service)->webhooks_done, sizeof kinds / sizeof *kinds);
}

/* A chat of somebody else's: no token opens it, whatever the words of the refusal; other chats are
 * not affected. */
static void test_foreign_chat(void **state)
{
    static const struct {
        sim_body body;
        const char *text;
    } words[] = {{SIM_BODY_DEFAULT, "\"code\":403"},
                 {SIM_BODY_EMPTY, ""},
                 {SIM_BODY_PLAIN, "upstream"},
                 {SIM_BODY_PERMISSION, "permission denied"}};
    world *w = *state;
    const char *own = w->chat;
    sim_chat_options o;
    memset(&o, 0, sizeof o);
    o.foreign = true;
    w->chat = sim_add_chat(w->service, &o);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        sim_live(w->service)->foreign_body = words[i].body;
        reply r = get(w, path(w, "v2", "chats/%s"));
        assert_status(r, 403);
        assert_non_null(strstr(r.body, words[i].text));
        reply_free(&r);
        expect(get(w, path(w, "v3", "chats/%s/messages/")), 403, NULL);
        expect(post(w, path(w, "v1", "chats/%s/read"), NULL), 403, NULL);
        expect(post(w, path(w, "v1", "chats/%s/messages"),
                    "{\"message\":{\"text\":\"эхо\"},\"type\":\"text\"}"),
               403, NULL);
    }
    reply r = get(w, path(w, "v2", "chats"));
    assert_int_equal(count_at(&r, "chats"), 2);
    reply_free(&r);
    w->chat = own;
    expect(get(w, path(w, "v2", "chats/%s")), 200, NULL);
}

/* The forms that other clients read. */
static void test_notifications_have_other_forms(void **state)
{
    world *w = *state;
    const struct {
        sim_webhook_form form;
        const char *message, *begins; /* where the message is */
    } forms[] = {{SIM_WEBHOOK_ENVELOPE, "payload.value.", "{\"id\""},
                 {SIM_WEBHOOK_NO_TYPE, "payload.value.", "{\"id\""},
                 {SIM_WEBHOOK_FLAT, "", "{\"id\""},
                 {SIM_WEBHOOK_MARKED, "payload.value.", "\xef\xbb\xbf{\"id\""}};
    char name[64];
    subscribe(w, "http://127.0.0.1:1/");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        sim_webhook h;
        sim_live(w->service)->webhook_form = forms[i].form;
        (void)sim_buyer_writes(w->service, w->chat, "Здравствуйте!");
        assert_true(sim_next_webhook(w->service, &h));
        assert_memory_equal(h.body, forms[i].begins, strlen(forms[i].begins));
        cJSON *json = cJSON_Parse(strchr(h.body, '{'));
        (void)snprintf(name, sizeof name, "%schat_id", forms[i].message);
        assert_string_equal(at(json, name)->valuestring, w->chat);
        (void)snprintf(name, sizeof name, "%scontent.text", forms[i].message);
        assert_string_equal(at(json, name)->valuestring, "Здравствуйте!");
        assert_int_equal(strstr(h.body, "\"type\":\"message\"") != NULL,
                         i != SIM_WEBHOOK_NO_TYPE && i != SIM_WEBHOOK_FLAT);
        cJSON_Delete(json);
        sim_webhook_answered(w->service, h.id, 200);
    }
}

static void test_listings_have_another_form(void **state)
{
    world *w = *state;
    sim_message_options o;
    sim_webhook h;
    memset(&o, 0, sizeof o);
    o.type = SIM_ITEM;
    sim_live(w->service)->webhook_listings = true;
    subscribe(w, "http://127.0.0.1:1/");
    for (int i = 0; i < 2; i++) {
        o.text = i == 0 ? "Шкаф" : NULL;
        o.content_json = i == 0 ? NULL : "{\"item\":{\"title\":\"as given\"}}";
        (void)sim_write(w->service, w->chat, &o);
        assert_true(sim_next_webhook(w->service, &h));
        cJSON *json = cJSON_Parse(h.body);
        assert_string_equal(at(json, "payload.value.content.item.title")->valuestring,
                            i == 0 ? "Шкаф" : "as given");
        if (i == 0) {
            same_shape(at(json, "payload.value.content"), "", "event_item_as_listing",
                       "payload.value.content");
        }
        cJSON_Delete(json);
        sim_webhook_answered(w->service, h.id, 200);
    }
}

/* PHP's empty object. */
static void test_empty_objects_are_arrays(void **state)
{
    world *w = *state;
    sim_live(w->service)->empty_as_array = true;
    expect(post(w, path(w, "v1", "chats/%s/messages"),
                "{\"message\":{\"text\":\"эхо\"},\"type\":\"text\"}"),
           200, NULL);
    sim_message_info m;
    for (size_t i = 0; sim_chat_message_at(w->service, w->chat, i, &m); i++) {
    }
    char target[200];
    (void)snprintf(target, sizeof target, "chats/%%s/messages/%s", m.id);
    reply r = post(w, path(w, "v1", target), NULL);
    assert_status(r, 200);
    assert_string_equal(r.body, "[]");
    reply_free(&r);
    r = get(w, path(w, "v3", "chats/%s/messages/"));
    assert_true(cJSON_IsArray(at(r.json, "messages.0.content")));
    assert_int_equal(cJSON_GetArraySize(at(r.json, "messages.0.content")), 0);
    reply_free(&r);
    r = get(w, path(w, "v1", "getVoiceFiles?voice_ids=x"));
    assert_string_equal(r.body, "{\"voices_urls\":[]}");
    reply_free(&r);
}

static void test_own_messages_and_deletions_are_notified(void **state)
{
    world *w = *state;
    sim_webhook h;
    subscribe(w, "http://127.0.0.1:1/");
    sim_live(w->service)->webhook_no_published_at = true;
    expect(post(w, path(w, "v1", "chats/%s/messages"),
                "{\"message\":{\"text\":\"эхо\"},\"type\":\"text\"}"),
           200, NULL);
    assert_true(sim_next_webhook(w->service, &h));
    cJSON *json = cJSON_Parse(h.body);
    same_shape(json, "", "event_text_2023", "");
    assert_true(at(json, "payload.value.author_id")->valuedouble == 350000001);
    assert_true(at(json, "payload.value.user_id")->valuedouble == 350000001);
    cJSON_Delete(json);
    char id[40];
    (void)snprintf(id, sizeof id, "%s", h.message_id);
    sim_webhook_answered(w->service, h.id, 204);
    assert_true(sim_delete(w->service, id));
    assert_true(sim_delete(w->service, id)); /* told once */
    assert_true(sim_next_webhook(w->service, &h));
    assert_non_null(strstr(h.body, "\"type\":\"deleted\""));
    sim_webhook_answered(w->service, h.id, 200);
    assert_false(sim_next_webhook(w->service, &h));
}

static void test_notifications_are_repeated(void **state)
{
    world *w = *state;
    sim_webhook h;
    sim_options *o = sim_live(w->service);
    o->webhook_tries = 3;
    subscribe(w, "http://127.0.0.1:1/");
    (void)sim_buyer_writes(w->service, w->chat, "a");
    assert_true(sim_next_webhook(w->service, &h)); /* 1: no answer at all */
    assert_false(sim_next_webhook(w->service, &h));
    assert_true(sim_next_event_ms(w->service) == START_MS + 5000);
    w->now += 5000;
    assert_true(sim_next_webhook(w->service, &h)); /* 2: an error */
    assert_int_equal(h.attempt, 2);
    sim_webhook_answered(w->service, h.id, 500);
    w->now += 3000;
    assert_true(sim_next_webhook(w->service, &h));
    sim_webhook_answered(w->service, h.id, 0);
    w->now += 3000;
    assert_false(sim_next_webhook(w->service, &h));
    assert_int_equal(sim_get_stats(w->service)->webhooks_given_up, 1);
    assert_int_equal(sim_get_stats(w->service)->webhooks_tried, 3);
    assert_true(sim_next_event_ms(w->service) == INT64_MAX);
    o->webhook_probe = true;
    subscribe(w, "http://127.0.0.1:2/");
    assert_true(sim_next_webhook(w->service, &h));
    assert_string_equal(h.body, "{}");
}

/* ---------------------------------------------------------------- determinism */

static uint64_t story(uint64_t seed)
{
    world w;
    sim_options o = sim_options_default();
    uint64_t hash = 0;
    sim_webhook h;
    o.seed = seed;
    o.webhook_delay_ms = 50;
    (void)world_with(&o, &w);
    subscribe(&w, "http://127.0.0.1:1/");
    for (int i = 0; i < 20; i++) {
        (void)sim_buyer_writes(w.service, sim_add_chat(w.service, NULL), "вопрос");
        reply r = post(&w, path(&w, "v1", "chats/%s/messages"),
                       "{\"message\":{\"text\":\"a\"},\"type\":\"text\"}");
        hash = hash * 31 + sim_fnv1a(r.raw, r.raw_len);
        reply_free(&r);
        r = get(&w, path(&w, "v2", "chats"));
        hash = hash * 31 + sim_fnv1a(r.raw, r.raw_len);
        reply_free(&r);
        w.now += 17;
        while (sim_next_webhook(w.service, &h)) {
            hash = hash * 31 + sim_fnv1a(h.body, h.body_len) + sim_fnv1a(h.signature, 64);
            sim_webhook_answered(w.service, h.id, 200);
        }
    }
    world_end(&w);
    return hash;
}

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    assert_true(story(1) == story(1));
    assert_true(story(7) == story(7));
    assert_true(story(1) != story(7));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_self),
        TEST(test_chat_has_the_recorded_shape),
        TEST(test_chat_ids_look_recorded),
        TEST(test_chat_without_item),
        TEST(test_messages_of_every_type),
        TEST(test_both_envelopes),
        TEST(test_quote_nulls_and_ids_as_strings),
        TEST(test_send),
        TEST(test_send_refusals),
        TEST(test_text_limit),
        TEST(test_upload_and_send_image),
        TEST(test_upload_formats),
        TEST(test_upload_too_large),
        TEST(test_read_and_unread),
        TEST(test_read_by_the_buyer),
        TEST(test_delete),
        TEST(test_voice),
        TEST(test_blacklist),
        TEST(test_paging),
        TEST(test_has_more_at_the_border),
        TEST(test_chats_newest_first),
        TEST(test_item_filter),
        TEST(test_query_refusals),
        TEST(test_routes),
        TEST(test_token_client_credentials),
        TEST(test_token_life),
        TEST(test_token_kills_former),
        TEST(test_authorization_code_and_refresh),
        TEST(test_read_only_scope),
        TEST(test_rate_limit),
        TEST(test_tariff),
        TEST(test_late_visibility),
        TEST(test_trimmed_text),
        TEST(test_person_in_the_app),
        TEST(test_subscriptions),
        TEST(test_notifications_look_recorded),
        TEST(test_foreign_chat),
        TEST(test_notifications_have_other_forms),
        TEST(test_listings_have_another_form),
        TEST(test_empty_objects_are_arrays),
        TEST(test_own_messages_and_deletions_are_notified),
        TEST(test_notifications_are_repeated),
        cmocka_unit_test(test_same_seed_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
