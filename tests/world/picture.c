/* picture.c - a picture of the bot: where its bytes come from, its upload, and what the service
 * must have afterwards. No two pictures are alike, so the bytes tell which attempt brought them
 * there. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define USER 350000001

/* ---------------------------------------------------------------- the source */

/* Fills the lane's room with the head of a 16 x 16 GIF, then random bytes. */
static void develop(world *w, struct lane *l, size_t size)
{
    static const unsigned char head[10] = {'G', 'I', 'F', '8', '9', 'a', 16, 0, 16, 0};
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        const uint64_t any = draw(w);
        memcpy(l->picture.memory + i, &any, size - i < sizeof any ? size - i : sizeof any);
    }
    memcpy(l->picture.memory, head, sizeof head);
}

/* Gives as much as it likes, and fails at the planned byte. */
static long read_picture(void *ctx, size_t offset, void *buf, size_t cap)
{
    struct lane *l = ctx;
    world *w = l->world;
    const size_t size = w->jobs[l->job].picture;
    size_t n = chance(w, 300) ? 1 + below(w, cap) : cap;
    device_may_crash(w);
    if (cap == 0 || offset + cap > size) {
        fail(w, "upload", "the source is asked for %zu bytes from %zu on, of %zu", cap, offset,
             size);
        return -1;
    }
    if (offset >= l->source_fails) {
        happened(w, F_SOURCE, l->index);
        say(w, "lane %d: the source fails at byte %zu", l->index, offset);
        return chance(w, 500) ? 0 : -1;
    }
    n = n < l->source_fails - offset ? n : l->source_fails - offset;
    memcpy(buf, l->picture.memory + offset, n);
    return (long)n;
}

static void on_progress(void *ctx, size_t sent, size_t size)
{
    struct lane *l = ctx;
    if (sent > size || size != l->world->jobs[l->job].picture) {
        fail(l->world, "upload", "progress tells %zu of %zu bytes", sent, size);
    }
}

/* ---------------------------------------------------------------- the upload */

static void add_shot(world *w, struct lane *l, size_t size)
{
    shot *s;
    if (w->shot_count == w->shot_cap) {
        w->shot_cap = w->shot_cap * 2 + 16;
        w->shots = realloc(w->shots, w->shot_cap * sizeof *w->shots);
    }
    l->shot = w->shot_count++;
    s = &w->shots[l->shot];
    memset(s, 0, sizeof *s);
    s->fnv = sim_fnv1a(l->picture.memory, size);
    s->size = size;
    s->job = l->job;
}

int picture_begin(world *w, struct lane *l)
{
    job *j = &w->jobs[l->job];
    avito_image_source source;
    memset(&source, 0, sizeof source);
    develop(w, l, j->picture);
    add_shot(w, l, j->picture);
    source.size = j->picture;
    source.file_name = "photo.gif";
    source.content_type = "image/gif";
    source.ctx = l;
    source.progress = on_progress;
    l->source_fails = SIZE_MAX;
    if (chance(w, 200)) {
        source.data = l->picture.memory;
    } else {
        source.read = read_picture;
        l->source_fails = !w->calm && chance(w, 60) ? below(w, j->picture) : SIZE_MAX;
    }
    l->act = ACT_UPLOAD;
    j->state = JOB_UPLOADING;
    j->uploads++;
    j->left = false;
    say(w, "lane %d: job %d: uploads %zu bytes", l->index, l->job, j->picture);
    return avito_upload_image(&l->client, USER, &source, &l->arena, &l->uploaded);
}

static bool is_there(world *w, const char *id, const shot *s)
{
    sim_upload_info info;
    for (size_t i = w->upload_count; i > 0 && sim_upload_at(w->service, i - 1, &info); i--) {
        if (strcmp(info.image_id, id) == 0) {
            return info.fnv1a == s->fnv && info.size == s->size;
        }
    }
    return false;
}

/* A second upload does no harm, so the picture is uploaded again, even if the service may have it. */
static job_state upload_failed(world *w, const struct lane *l, int rc)
{
    job *j = &w->jobs[l->job];
    shot *s = &w->shots[l->shot];
    s->not_sent = avito_last_error(&l->client)->outcome == AVITO_NOT_SENT;
    if (s->not_sent && s->stored > 0) {
        fail(w, "upload", "job %d: the service has a picture that was not sent", l->job);
    }
    if (rc == AVITO_ERR_TOO_LARGE) {
        j->picture = j->picture / 2 > PICTURE_MIN ? j->picture / 2 : PICTURE_MIN;
    }
    return j->uploads > 12 ? JOB_GIVEN_UP : JOB_NEW;
}

job_state picture_over(world *w, struct lane *l, int rc)
{
    job *j = &w->jobs[l->job];
    const char *id = l->uploaded.image_id.ptr;
    check_outcome(w, l, rc);
    picture_sync(w);
    j->unsettled = false; /* the next attempt has another picture */
    if (rc != AVITO_OK) {
        return upload_failed(w, l, rc);
    }
    if (strlen(id) >= sizeof j->image ||
        (!is_there(w, id, &w->shots[l->shot]) && !w->plan.corrupt)) {
        fail(w, "upload", "job %d: the service does not have the picture %s", l->job, id);
        return JOB_NEW;
    }
    strcpy(j->image, id);
    return JOB_BASELINE;
}

/* ---------------------------------------------------------------- what the service has */

/* The service took every picture byte by byte, none twice, and none that was declared not sent. */
void picture_sync(world *w)
{
    sim_upload_info info;
    while (sim_upload_at(w->service, w->upload_count, &info)) {
        size_t i = w->shot_count;
        while (i > 0 && (w->shots[i - 1].fnv != info.fnv1a || w->shots[i - 1].size != info.size)) {
            i--;
        }
        w->upload_count++;
        if (i == 0) {
            fail(w, "upload", "the service has a picture of %zu bytes that nobody sent", info.size);
            return;
        }
        say(w, "the picture of job %d is stored as %s", w->shots[i - 1].job, info.image_id);
        if (++w->shots[i - 1].stored > 1 || w->shots[i - 1].not_sent) {
            fail(w, "upload", "a picture is stored %s",
                 w->shots[i - 1].not_sent ? "after it was declared not sent" : "twice");
        }
    }
}
