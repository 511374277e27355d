/* story.c - records what was done, and replays it: see control.h for the form. */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void story_begin(story *t)
{
    memset(t, 0, sizeof *t);
    t->complete = true;
}

static void stop(story *t)
{
    cJSON_Delete(t->playing);
    cJSON_Delete(t->ids);
    t->playing = t->ids = NULL;
    t->step = NULL;
}

void story_end(story *t)
{
    stop(t);
    simi_free(&t->steps);
    memset(t, 0, sizeof *t);
}

/* ---------------------------------------------------------------- recording */

static void add_step(story *t, const char *step, size_t len)
{
    if (!t->complete || t->steps.len + len > STORY_MAX) {
        t->complete = false;
        return;
    }
    simi_puts(&t->steps, t->steps.len != 0 ? ",\n" : "");
    simi_put(&t->steps, step, len);
}

void story_record(story *t, const char *path, const cJSON *body, const char *gave)
{
    simi_buf step = {0};
    char *text = cJSON_PrintUnformatted(body);
    simi_putf(&step, "{\"post\":\"%s\",\"body\":", path);
    simi_puts(&step, text != NULL ? text : "{}");
    if (gave[0] != '\0') {
        simi_puts(&step, ",\"gave\":");
        simi_put_json(&step, gave);
    }
    simi_puts(&step, "}");
    add_step(t, step.p, step.len);
    free(text);
    simi_free(&step);
}

/* Records what the account has sent through the API since the last time: a replay waits for the same. */
void story_record_answers(story *t, sim *service)
{
    sim_message_info m;
    for (; sim_message_at(service, t->seen, &m); t->seen++) {
        if (m.author != SIM_API) {
            continue;
        }
        simi_buf step = {0};
        simi_puts(&step, "{\"answer\":{\"chat_id\":");
        simi_put_json(&step, m.chat_id);
        simi_putf(&step, ",\"message_id\":\"%s\",\"type\":\"%s\",\"text\":", m.id,
                  sim_type_name(m.type));
        simi_put_json(&step, m.text);
        simi_puts(&step, "}}");
        add_step(t, step.p, step.len);
        simi_free(&step);
    }
}

void story_put(const story *t, simi_buf *b)
{
    simi_putf(b, "{\"story\":1,\"complete\":%s,\"steps\":[\n", t->complete ? "true" : "false");
    simi_put(b, t->steps.p, t->steps.len);
    simi_puts(b, "\n]}\n");
}

void story_put_state(const story *t, simi_buf *b)
{
    static const char *const words[] = {"none", "playing", "done", "failed"};
    simi_putf(b, "{\"state\":\"%s\",\"done\":%u,\"count\":%u,\"why\":", words[t->state], t->done,
              t->count);
    simi_put_json(b, t->why);
    simi_puts(b, "}");
}

/* ---------------------------------------------------------------- playing */

static const char *text_in(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static bool is_step(const cJSON *step)
{
    const cJSON *answer = cJSON_GetObjectItemCaseSensitive(step, "answer");
    if (answer != NULL) {
        return text_in(answer, "chat_id") != NULL && text_in(answer, "type") != NULL &&
               text_in(answer, "text") != NULL;
    }
    const char *path = text_in(step, "post");
    return path != NULL && strcmp(path, "/story") != 0 && strcmp(path, "/reset") != 0 &&
           cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(step, "body"));
}

const char *story_wrong(const cJSON *o)
{
    const cJSON *steps = cJSON_GetObjectItemCaseSensitive(o, "steps");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(o, "story");
    const cJSON *step;
    if (!cJSON_IsNumber(version) || version->valueint != 1 || !cJSON_IsArray(steps)) {
        return "a story is {\"story\":1,\"steps\":[...]}, as GET /story gives it";
    }
    cJSON_ArrayForEach(step, steps)
    {
        if (!is_step(step)) {
            return "a step is {\"post\":PATH,\"body\":{...}} or "
                   "{\"answer\":{\"chat_id\",\"type\",\"text\"}}";
        }
    }
    return NULL;
}

void story_play(story *t, sim *service, cJSON *o)
{
    stop(t);
    const cJSON *wait = cJSON_GetObjectItemCaseSensitive(o, "wait_ms");
    const cJSON *steps = cJSON_GetObjectItemCaseSensitive(o, "steps");
    sim_message_info unused;
    t->playing = o;
    t->ids = cJSON_CreateObject();
    t->step = steps->child;
    t->done = 0;
    t->count = (unsigned)cJSON_GetArraySize(steps);
    t->write_answers = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "write_answers"));
    t->wait_ms = cJSON_IsNumber(wait) ? (int64_t)wait->valuedouble : 10000;
    t->deadline_ms = 0;
    t->why[0] = '\0';
    t->state = STORY_PLAYING;
    while (sim_message_at(service, t->from, &unused)) {
        t->from++;
    }
}

static const char *now_of(const story *t, const char *recorded)
{
    const char *now = text_in(t->ids, recorded);
    return now != NULL ? now : recorded;
}

static void remember(story *t, const char *recorded, const char *now)
{
    if (recorded != NULL && now[0] != '\0') {
        cJSON_DeleteItemFromObjectCaseSensitive(t->ids, recorded);
        (void)cJSON_AddStringToObject(t->ids, recorded, now);
    }
}

static bool failed(story *t, const char *why)
{
    (void)snprintf(t->why, sizeof t->why, "step %u: %s", t->done + 1, why);
    t->state = STORY_FAILED;
    stop(t);
    return true;
}

/* Repeats a POST, with the ids of this replay in place of the recorded ones. */
static bool play_post(story *t, story_run run, void *ctx)
{
    static const char *const names[] = {"chat_id", "message_id", "quote_id", "media_id"};
    const char *why = "refused", *path = text_in(t->step, "post");
    cJSON *body = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(t->step, "body"), true);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *id = text_in(body, names[i]);
        if (id != NULL && strcmp(path, "/chat") != 0) {
            (void)cJSON_ReplaceItemInObjectCaseSensitive(body, names[i],
                                                         cJSON_CreateString(now_of(t, id)));
        }
    }
    const char *gave = run(ctx, path, body, &why);
    if (gave == NULL) {
        (void)failed(t, why);
        return false;
    }
    remember(t, text_in(t->step, "gave"), gave);
    return true;
}

/* The next message that the account sent through the API and that matches the step. */
static bool find_answer(story *t, sim *service, const cJSON *answer)
{
    sim_message_info m;
    const char *chat = now_of(t, text_in(answer, "chat_id"));
    for (size_t i = t->from; sim_message_at(service, i, &m); i++) {
        if (m.author == SIM_API && strcmp(m.chat_id, chat) == 0 &&
            strcmp(sim_type_name(m.type), text_in(answer, "type")) == 0 &&
            strcmp(m.text, text_in(answer, "text")) == 0 && text_in(t->ids, m.id) == NULL) {
            remember(t, text_in(answer, "message_id"), m.id);
            remember(t, m.id, m.id); /* taken: the same text again is another message */
            return true;
        }
    }
    return false;
}

static bool write_answer(story *t, story_run run, void *ctx, const cJSON *answer)
{
    const char *why = "refused";
    cJSON *body = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(body, "chat_id", now_of(t, text_in(answer, "chat_id")));
    (void)cJSON_AddStringToObject(body, "author", "app");
    (void)cJSON_AddStringToObject(body, "type", text_in(answer, "type"));
    (void)cJSON_AddStringToObject(body, "text", text_in(answer, "text"));
    const char *gave = run(ctx, "/message", body, &why);
    if (gave == NULL) {
        (void)failed(t, why);
        return false;
    }
    remember(t, text_in(answer, "message_id"), gave);
    return true;
}

/* False: not yet, or failed. */
static bool play_answer(story *t, sim *service, int64_t now, story_run run, void *ctx,
                        const cJSON *answer)
{
    if (t->write_answers) {
        return write_answer(t, run, ctx, answer);
    }
    if (find_answer(t, service, answer)) {
        t->deadline_ms = 0;
        return true;
    }
    if (t->deadline_ms == 0) {
        t->deadline_ms = now + t->wait_ms;
    }
    if (now >= t->deadline_ms) {
        (void)failed(t, "the answer did not come");
    }
    return false;
}

bool story_tick(story *t, sim *service, int64_t now, story_run run, void *ctx)
{
    bool changed = false;
    while (t->state == STORY_PLAYING && t->step != NULL) {
        const cJSON *answer = cJSON_GetObjectItemCaseSensitive(t->step, "answer");
        if (!(answer != NULL ? play_answer(t, service, now, run, ctx, answer)
                             : play_post(t, run, ctx))) {
            return changed || t->state == STORY_FAILED;
        }
        t->step = t->step->next;
        t->done++;
        changed = true;
    }
    if (t->state == STORY_PLAYING) {
        t->state = STORY_DONE;
        stop(t);
        changed = true;
    }
    return changed;
}
