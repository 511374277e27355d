/* http.h - the API over HTTP/1.1: bytes into requests, requests into answers, and planned faults.
 * The files of this room, each of which calls only those before it and the core: errors plans
 * request multipart operations api service connection simulator. */
#ifndef SIMULATOR_HTTP_H
#define SIMULATOR_HTTP_H

#include "../core/core.h"

#include <cjson/cJSON.h>
#include <http_parser.h>

typedef struct simi_plan {
    const char *text;
    sim_operation op; /* SIM_NO_OPERATION: any */
    sim_fault fault;
    unsigned left; /* 0 with `forever` */
    unsigned skip;
    bool forever;
} simi_plan;

/* ---------------------------------------------------------------- requests and answers */

typedef struct simi_param {
    const char *name, *value; /* in the request's text */
} simi_param;

struct simi_row;

typedef struct simi_request {
    uint64_t number;
    const struct simi_row *row; /* NULL: no route */
    const char *method;
    bool post;
    simi_buf target; /* as sent */
    simi_buf text;   /* decoded query; params point into it */
    simi_param *params;
    size_t param_count, param_cap;
    char user_id[64], chat_id[256], message_id[256];
    char host[256], content_type[256], authorization[4200];
    unsigned host_count, content_type_count, authorization_count;
    uint64_t token; /* the one it brings, 1 for the first that was given; 0: none */
    bool expect_continue, chunked, header_too_long, bad_header;
    simi_buf body;
    cJSON *json; /* of a JSON body */
    bool unofficial_path;
} simi_request;

typedef struct simi_answer {
    int status;
    const char *content_type;
    simi_buf body;
    char retry_after[64];
    bool rate_headers;
} simi_answer;

/* One line of the table: see api.c. */
typedef enum simi_body_kind { SIMI_NO_BODY, SIMI_FORM, SIMI_JSON, SIMI_MULTIPART } simi_body_kind;

typedef enum simi_field_kind {
    SIMI_INT,     /* a number between min and max */
    SIMI_BOOL,    /* true or false */
    SIMI_WORD,    /* one of `words` (comma list) */
    SIMI_WORDS,   /* comma list or repeated, each one of `words` */
    SIMI_INTS,    /* comma list or repeated */
    SIMI_STRINGS, /* comma list or repeated */
    SIMI_STRING,  /* min to max code points, not blank */
    SIMI_URL,     /* absolute, http or https */
    SIMI_ARRAY    /* of objects; min to max elements */
} simi_field_kind;

typedef struct simi_field {
    const char *name; /* in a JSON body a path: "message.text", "users[].user_id" */
    simi_field_kind kind;
    bool required;
    int64_t min, max; /* max 0: none */
    const char *words;
} simi_field;

#define SIMI_MAX_FIELDS 6

typedef struct simi_row {
    sim_operation op;
    const char *method;
    const char *path;
    const char *also; /* another spelling of the path that clients use, or NULL */
    simi_field query[SIMI_MAX_FIELDS];
    simi_body_kind body_kind;
    simi_field body[SIMI_MAX_FIELDS];
    const char *scope; /* needed when the token came by authorization code */
    bool writes;       /* needs the tariff in any case */
    void (*serve)(sim *s, simi_request *r, simi_answer *a);
    const char *answer; /* for readers of the table */
    const char *differs;
} simi_row;

/* errors.c */
const char *simi_reason(int status);
void simi_error(simi_answer *a, int status, sim_body body);            /* replaces what is in `a` */
void simi_error_text(simi_answer *a, int status, const char *message); /* shape SPEC */
void simi_field_error(simi_answer *a, const char *field, const char *message);
int simi_body_status(sim_body body);

/* plans.c */
sim_fault simi_fault_for(sim *s, const sim_request_info *info);

/* request.c */
bool simi_parse_query(simi_request *r);
bool simi_parse_pairs(simi_request *r, const char *p, size_t len); /* form or query */
const char *simi_param_value(const simi_request *r, const char *name);
/* True if query and body satisfy the table; else the 400 is in `a`. */
bool simi_check_fields(sim *s, simi_request *r, simi_answer *a);
bool simi_parse_json(simi_request *r);

/* multipart.c: true if the body is one well-formed part; else the refusal is in `a`. */
bool simi_take_upload(sim *s, simi_request *r, simi_answer *a, sim_upload_info *out,
                      const char **bytes);

/* operations.c */
void simi_serve_token(sim *s, simi_request *r, simi_answer *a);
void simi_serve_self(sim *s, simi_request *r, simi_answer *a);
void simi_serve_chats(sim *s, simi_request *r, simi_answer *a);
void simi_serve_chat(sim *s, simi_request *r, simi_answer *a);
void simi_serve_messages(sim *s, simi_request *r, simi_answer *a);
void simi_serve_send(sim *s, simi_request *r, simi_answer *a);
void simi_serve_upload(sim *s, simi_request *r, simi_answer *a);
void simi_serve_send_image(sim *s, simi_request *r, simi_answer *a);
void simi_serve_delete(sim *s, simi_request *r, simi_answer *a);
void simi_serve_read(sim *s, simi_request *r, simi_answer *a);
void simi_serve_voice(sim *s, simi_request *r, simi_answer *a);
void simi_serve_blacklist(sim *s, simi_request *r, simi_answer *a);
void simi_serve_subscribe(sim *s, simi_request *r, simi_answer *a);
void simi_serve_unsubscribe(sim *s, simi_request *r, simi_answer *a);
void simi_serve_subscriptions(sim *s, simi_request *r, simi_answer *a);


/* api.c */
extern const simi_row simi_table[];
extern const size_t simi_table_count;
void simi_route(sim *s, simi_request *r);

/* service.c: a request's way through the service */
bool simi_check(sim *s, simi_request *r, simi_answer *a); /* false: the refusal is in `a` */
void simi_carry_out(sim *s, simi_request *r, simi_answer *a);
/* Too large to be read at all: the refusal is in `a`. */
bool simi_refuse_head(sim *s, simi_request *r, uint64_t content_length, simi_answer *a);

/* connection.c */
int64_t simi_conn_due(sim_conn *c);
sim_conn *simi_conn_next(sim_conn *c);

#endif
