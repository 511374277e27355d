/* errors.c - bodies of refusals. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *simi_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {{200, "OK"},
                 {201, "Created"},
                 {204, "No Content"},
                 {301, "Moved Permanently"},
                 {302, "Found"},
                 {307, "Temporary Redirect"},
                 {308, "Permanent Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {402, "Payment Required"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {411, "Length Required"},
                 {413, "Payload Too Large"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].status == status) {
            return known[i].text;
        }
    }
    return "Unknown";
}

int simi_body_status(sim_body body)
{
    static const int statuses[SIM_BODY_COUNT] = {500,
#define STATUS_(name, word, status) status,
                                                 SIM_BODIES(STATUS_)
#undef STATUS_
    };
    return statuses[body];
}

/* ---------------------------------------------------------------- bodies */

static const char *message_for(int status)
{
    switch (status) {
        case 402:
            return "Чтобы пользоваться API мессенджера, подключите подписку";
        case 404:
            return "Not found";
        case 500:
            return "Error while processing request. Please, contact support";
        case 503:
            return "Service temporarily unavailable. Please, contact support";
        default:
            return simi_reason(status);
    }
}

static const char firewall_page[] =
    "<!DOCTYPE html><html lang=\"ru\"><head><title>Доступ ограничен: проблема с IP</title></head>"
    "<body><div class=\"firewall-container\"><h2 class=\"firewall-title\">Доступ ограничен: "
    "проблема "
    "с IP</h2><form class=\"js-firewall-form\"></form></body></html>";

/* The body of each shape. */
static void put_error(simi_buf *b, int status, sim_body body)
{
    const char *text = message_for(status);
    switch ((int)body) {
        case SIM_BODY_FIELDS:
            simi_putf(
                b,
                "{\"error\":{\"code\":%d,\"fields\":{\"limit\":\"must be between 1 and 100\"},"
                "\"message\":\"Validation error\"}}",
                status);
            break;
        case SIM_BODY_FIELDS_NULL:
            simi_putf(b,
                      "{\"error\":{\"code\":%d,\"fields\":null,\"message\":\"Validation error\"}}",
                      status);
            break;
        case SIM_BODY_PERMISSION:
            simi_puts(b, "{\"error\":{\"message\":\"permission denied\"}}");
            break;
        case SIM_BODY_EXPIRED:
            simi_puts(b, "{\"result\":{\"status\":false,\"message\":\"access token expired\"}}");
            break;
        case SIM_BODY_MESSAGES:
            simi_putf(b, "{\"result\":{\"status\":\"error\",\"messages\":[\"%s\"]}}", text);
            break;
        case SIM_BODY_ERRORS:
            simi_putf(b, "{\"errors\":[\"%s\"]}", text);
            break;
        case SIM_BODY_MESSAGE_CODE:
            simi_putf(b, "{\"message\":\"%s\",\"code\":%d}", text, status);
            break;
        case SIM_BODY_GATEWAY:
            simi_putf(b, "{\"message\":\"%s\"}",
                      status == 404   ? "no Route matched with those values"
                      : status == 429 ? "API rate limit exceeded"
                                      : text);
            break;
        case SIM_BODY_OAUTH:
            simi_putf(b, "{\"error\":\"%s\",\"error_description\":\"%s\"}",
                      status == 401 ? "invalid_client" : "invalid_request",
                      status == 401 ? "Client authentication failed" : "The request is malformed");
            break;
        case SIM_BODY_OAUTH_SHORT:
            simi_puts(b, "{\"error\":\"invalid_client\"}");
            break;
        case SIM_BODY_FIREWALL:
            simi_puts(b, firewall_page);
            break;
        case SIM_BODY_IP_BLOCK:
            simi_puts(b,
                      "{\"code\":403,\"error\":{\"message\":\"Доступ с вашего IP-адреса временно "
                      "ограничен\",\"link\":\"ru.avito://1/info/ipblock/show\"}}");
            break;
        case SIM_BODY_EMPTY:
            break;
        case SIM_BODY_CUT_JSON:
            simi_puts(b, "{\"chats\":[{\"id\":\"u2i-broken\",\"users\":[{\"id\":1");
            break;
        case SIM_BODY_PLAIN:
            simi_putf(b, "upstream says: %s\n", text);
            break;
        case SIM_BODY_NULL_JSON:
            simi_puts(b, "null");
            break;
        case SIM_BODY_ARRAY:
            simi_puts(b, "[]");
            break;
        default:
            simi_putf(b, "{\"error\":{\"code\":%d,\"message\":\"%s\"}}", status, text);
            break;
    }
}

void simi_error(simi_answer *a, int status, sim_body body)
{
    if (body == SIM_BODY_DEFAULT) {
        body = status == 429 || (status >= 300 && status < 400) ? SIM_BODY_GATEWAY : SIM_BODY_SPEC;
    }
    a->status = status;
    a->body.len = 0;
    a->content_type = body == SIM_BODY_FIREWALL ? "text/html; charset=utf-8"
                      : body == SIM_BODY_PLAIN  ? "text/plain; charset=utf-8"
                                                : "application/json; charset=utf-8";
    put_error(&a->body, status, body);
}

void simi_error_text(simi_answer *a, int status, const char *message)
{
    simi_error(a, status, SIM_BODY_EMPTY);
    simi_putf(&a->body, "{\"error\":{\"code\":%d,\"message\":", status);
    simi_put_json(&a->body, message);
    simi_puts(&a->body, "}}");
}

void simi_field_error(simi_answer *a, const char *field, const char *message)
{
    simi_error(a, 400, SIM_BODY_EMPTY);
    simi_putf(&a->body,
              "{\"error\":{\"code\":400,\"fields\":{\"%s\":\"%s\"},"
              "\"message\":\"Validation error\"}}",
              field, message);
}
