#include "people.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cjson/cJSON.h>

static int port;
static char answer[256 * 1024];

bool people_arrive(void)
{
    const char *text = getenv("AVITO_DEMO_DOOR");

    port = text != NULL ? atoi(text) : 0;
    return port > 0;
}

static int knock(void)
{
    struct sockaddr_in at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* One HTTP request to the door. Returns its answer, to be deleted; NULL: it refused. */
static cJSON *ask(const char *method, const char *room, const cJSON *question)
{
    char head[256];
    char *body = question != NULL ? cJSON_PrintUnformatted(question) : NULL;
    size_t body_len = body != NULL ? strlen(body) : 0, got = 0;
    int n = snprintf(head, sizeof head,
                     "%s /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     method, room, body_len);
    const char *start;
    ssize_t more;
    int fd = knock();

    if (fd >= 0 && send(fd, head, (size_t)n, MSG_NOSIGNAL) == n &&
        (body_len == 0 || send(fd, body, body_len, MSG_NOSIGNAL) == (ssize_t)body_len)) {
        while ((more = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0) {
            got += (size_t)more;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(body);
    answer[got] = '\0';
    start = strstr(answer, "\r\n\r\n");
    return start != NULL && strncmp(answer, "HTTP/1.1 200", 12) == 0 ? cJSON_Parse(start + 4)
                                                                     : NULL;
}

/* Asks, and copies the text `member` of the answer into `out` (NULL: only asks). */
static bool tell(const char *room, cJSON *question, const char *member, char *out, size_t cap)
{
    cJSON *reply = ask("POST", room, question);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(reply, member);
    bool good = reply != NULL;

    if (out != NULL) {
        good = cJSON_IsString(value) && strlen(value->valuestring) < cap;
        if (good) {
            (void)strcpy(out, value->valuestring);
        }
    }
    cJSON_Delete(reply);
    cJSON_Delete(question);
    return good;
}

bool people_open_chat(int64_t buyer_id, const char *buyer, const char *item, const char *price,
                      char *chat_id, size_t cap)
{
    cJSON *o = cJSON_CreateObject();

    (void)cJSON_AddNumberToObject(o, "buyer_id", (double)buyer_id);
    (void)cJSON_AddStringToObject(o, "buyer_name", buyer);
    (void)cJSON_AddStringToObject(o, "item_title", item);
    (void)cJSON_AddStringToObject(o, "price_string", price);
    return tell("chat", o, "chat_id", chat_id, cap);
}

bool people_write(const char *chat_id, const char *type, const char *text)
{
    cJSON *o = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(o, "chat_id", chat_id);
    (void)cJSON_AddStringToObject(o, "type", type);
    (void)cJSON_AddStringToObject(o, "text", text);
    return tell("message", o, NULL, NULL, 0);
}

bool people_read(const char *chat_id)
{
    cJSON *o = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(o, "chat_id", chat_id);
    (void)cJSON_AddStringToObject(o, "by", "buyer");
    return tell("read", o, NULL, NULL, 0);
}

bool people_allow(const char *scope, char *code, size_t cap)
{
    cJSON *o = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(o, "scope", scope);
    return tell("code", o, "code", code, cap);
}

bool people_expire_tokens(void)
{
    cJSON *o = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(o, "do", "expire");
    return tell("tokens", o, NULL, NULL, 0);
}

bool people_plan_fault(const char *plan)
{
    cJSON *clear = cJSON_CreateObject(), *o = cJSON_CreateObject();

    (void)cJSON_AddTrueToObject(clear, "clear"); /* an earlier plan would come first */
    (void)cJSON_AddStringToObject(o, "plan", plan);
    return tell("fault", clear, NULL, NULL, 0) && tell("fault", o, NULL, NULL, 0);
}

int64_t people_served(const char *operation)
{
    cJSON *stats = ask("GET", "stats", NULL);
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(stats, "operations");
    const cJSON *one = cJSON_GetObjectItemCaseSensitive(all, operation);
    const cJSON *served = cJSON_GetObjectItemCaseSensitive(one, "served");
    int64_t count = cJSON_IsNumber(served) ? (int64_t)served->valuedouble : -1;

    cJSON_Delete(stats);
    return count;
}

int64_t people_counter(const char *name)
{
    cJSON *stats = ask("GET", "stats", NULL);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(stats, name);
    int64_t count = cJSON_IsNumber(value) ? (int64_t)value->valuedouble : -1;

    cJSON_Delete(stats);
    return count;
}

static bool has(const cJSON *message, const char *member, const char *text)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(message, member);

    return cJSON_IsString(value) && strcmp(value->valuestring, text) == 0;
}

int64_t people_count(const char *chat_id, const char *text)
{
    cJSON *store = ask("GET", "store", NULL);
    const cJSON *message;
    int64_t count = store != NULL ? 0 : -1;

    cJSON_ArrayForEach(message, cJSON_GetObjectItemCaseSensitive(store, "messages"))
    {
        count += has(message, "chat_id", chat_id) && has(message, "text", text) &&
                 !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(message, "deleted"));
    }
    cJSON_Delete(store);
    return count;
}

bool people_last_upload(char *fnv1a, size_t cap)
{
    cJSON *all = ask("GET", "uploads", NULL);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(all, "uploads");
    const cJSON *last = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(last, "fnv1a");
    bool good = cJSON_IsString(hash) && strlen(hash->valuestring) < cap;

    if (good) {
        (void)strcpy(fnv1a, hash->valuestring);
    }
    cJSON_Delete(all);
    return good;
}
