/* check.c - what must hold. The service in memory knows everything; the client is judged by it. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- messages by id */

static uint32_t *place_of(world *w, const char *id, size_t len)
{
    size_t at = hash_text(id, len) & (w->index_cap - 1);
    while (w->index[at] != 0) {
        const note *n = &w->notes[w->index[at] - 1];
        if (strlen(n->id) == len && memcmp(n->id, id, len) == 0) {
            break;
        }
        at = (at + 1) & (w->index_cap - 1);
    }
    return &w->index[at];
}

note *check_find(world *w, const char *id, size_t len)
{
    uint32_t *place;
    check_sync(w);
    if (id == NULL || w->index_cap == 0) {
        return NULL;
    }
    place = place_of(w, id, len);
    return *place != 0 ? &w->notes[*place - 1] : NULL;
}

static void grow_index(world *w)
{
    if ((w->note_count + 1) * 2 < w->index_cap) {
        return;
    }
    free(w->index);
    w->index_cap = w->index_cap == 0 ? 256 : w->index_cap * 2;
    w->index = calloc(w->index_cap, sizeof *w->index);
    for (size_t i = 0; i < w->note_count; i++) {
        *place_of(w, w->notes[i].id, strlen(w->notes[i].id)) = (uint32_t)i + 1;
    }
}

/* ---------------------------------------------------------------- sends */

static int job_of(const world *w, uint64_t request)
{
    for (size_t i = w->served_count; i > 0; i--) {
        if (w->served[i - 1].request == request) {
            return w->served[i - 1].job;
        }
    }
    return -1;
}

/* A send reads the chat back: is that needed? */
void check_read_back(world *w, struct lane *l)
{
    job *j = &w->jobs[l->job];
    if (!j->settles || !j->left) {
        fail(w, "confirming", "job %d reads the chat back, %s", l->job,
             j->settles ? "but its request never left whole" : "which nobody asked for");
    }
    l->spoilt = l->spoilt && j->read_back; /* how the send itself was answered does not matter */
    j->read_back = true;
}

/* The bot is told that it was not sent, or soon will be. */
void check_no(world *w, const job *j)
{
    check_sync(w);
    if (j->stored > 0 && !j->misled) {
        fail(w, "confirming", "job %d: no, but it is stored", (int)(j - w->jobs));
    }
}

/* Promise 5: the outcome of a write, compared with what went over the wire. */
void check_outcome(world *w, const struct lane *l, int rc)
{
    const job *j = &w->jobs[l->job];
    const avito_outcome outcome = avito_last_error(&l->client)->outcome;
    if ((rc == AVITO_OK) != (outcome == AVITO_SENT)) {
        fail(w, "sending", "result %d with outcome %d", rc, (int)outcome);
    }
    if (outcome == AVITO_NOT_SENT && j->unsettled && !j->read_back) {
        fail(w, "sending", "job %d: not sent, but a request left whole and was not refused",
             l->job);
    }
    if (outcome == AVITO_CANNOT_TELL && (!j->left || j->refused)) {
        fail(w, "sending", "job %d: cannot tell, but its request %s", l->job,
             j->left ? "was refused" : "never left whole");
    }
}

/* The API has stored a message: for which send, and was that still allowed? */
static void check_stored(world *w, note *n, const sim_message_info *m)
{
    job *j;
    n->job = job_of(w, n->request);
    if (n->job < 0) {
        return;
    }
    j = &w->jobs[n->job];
    j->stored++;
    say(w, "job %d is stored as %s", n->job, n->id);
    if (j->stored > 1 && !j->misled) {
        fail(w, "sending", "job %d is stored %u times", n->job, j->stored);
    }
    if (j->picture > 0 ? strcmp(m->image_id, j->image) != 0 : m->type != SIM_TEXT) {
        fail(w, "sending", "job %d is stored as %s with picture %s", n->job, sim_type_name(m->type),
             m->image_id);
    }
    if (j->state == JOB_NEW || j->state == JOB_UPLOADING || j->state == JOB_BASELINE ||
        j->state == JOB_GIVEN_UP) {
        fail(w, "sending", "job %d is stored after it was declared not sent", n->job);
    }
    if (j->state == JOB_SENT && !j->rivalled && !j->misled) {
        fail(w, "sending", "job %d is stored after it was declared sent", n->job);
    }
}

/* Notes a message that the service has stored. */
static void add_note(world *w, const sim_message_info *m)
{
    note *n;
    grow_index(w);
    if (w->note_count == w->note_cap) {
        w->note_cap = w->note_cap * 2 + 64;
        w->notes = realloc(w->notes, w->note_cap * sizeof *w->notes);
    }
    n = &w->notes[w->note_count];
    memset(n, 0, sizeof *n);
    (void)snprintf(n->id, sizeof n->id, "%s", m->id);
    (void)snprintf(n->chat, sizeof n->chat, "%s", m->chat_id);
    n->created = m->created;
    n->visible_ms = m->visible_ms;
    n->stored_ms = m->stored_ms;
    n->odd = people_odd(w, m->id);
    n->own = m->author == SIM_APP || m->author == SIM_API;
    n->late = m->visible_ms > m->stored_ms;
    n->was_read = m->is_read;
    n->request = m->request;
    n->job = -1;
    *place_of(w, n->id, strlen(n->id)) = (uint32_t)++w->note_count;
    check_looks_reset(w, n->chat);
    if (n->odd) {
        happened(w, F_ODD_TIME, -1);
    }
    if (w->plan.odd_rows != 0) {
        happened(w, F_ODD_ROWS, -1);
    }
    say(w, "stored %s in %s by %s at %lld%s: %.40s", n->id, n->chat, n->own ? "us" : "them",
        (long long)n->created, n->late ? ", shows up late" : "", m->text);
    if (m->request != 0) {
        if (strcmp(m->text, m->sent_text) != 0) {
            happened(w, F_TRIMMED, -1);
        }
        check_stored(w, n, m);
    }
}

void check_sync(world *w)
{
    sim_message_info m;
    while (sim_message_at(w->service, w->note_count, &m)) {
        add_note(w, &m);
    }
    picture_sync(w);
}

/* ---------------------------------------------------------------- what the inbox owes */

/* The service's state when the first list was read decides what is new. */
void check_first_save(world *w)
{
    w->state_saved = true;
    w->start_ms = w->now;
    say(w, "the first state is saved: what was there is known");
}

static bool was_there(const world *w, const note *n)
{
    return n->visible_ms <= w->start_list_ms;
}

/* The inbox does not wait for a chat that cannot be read when its messages would push others
 * out. */
static bool given_up(const world *w, const note *n)
{
    const bool said = (w->inbox_events & AVITO_INBOX_UNREACHABLE) != 0;
    return w->plan.broken != 0 && (said || w->plan.broken_for_ever) &&
           strcmp(n->chat, w->chats[0]) == 0;
}

/* AVITO_START_NOW: a chat whose time is not believed does not show how new its messages are. A
 * message created before the list was served counts as there already, also when it shows up
 * late. */
static bool before_the_start(const world *w, const note *n)
{
    return w->device.inbox_options.start == AVITO_START_NOW && people_odd(w, n->chat) &&
           n->created < w->start_list_ms / 1000;
}

/* Promise 7, and the messages that it is about: see "INBOX" in the header. */
static bool owed(const world *w, const note *n)
{
    const avito_inbox_options *o = &w->device.inbox_options;
    bool due;
    if (!w->state_saved) {
        return n->visible_ms <= w->now;
    }
    if (o->start == AVITO_START_SINCE) {
        due = n->created >= o->since;
    } else if (!was_there(w, n)) { /* older ones that show up later count as there */
        due = n->created > w->start_newest ||
              (n->created == w->start_newest &&
               (o->start != AVITO_START_NOW || n->visible_ms > w->start_ms));
        /* This cannot be judged after a message whose time is not believed. */
        due = due && !(o->start == AVITO_START_NOW && n->odd && n->visible_ms <= w->start_ms) &&
              !before_the_start(w, n);
    } else {
        due = o->start == AVITO_START_UNREAD && !n->own && !n->was_read && !w->unread_given_up;
    }
    if (o->unread_only) { /* the weaker promise: what a person read first may stay hidden */
        due = due && !n->own && !n->was_read;
    }
    return due && !n->gone && !n->hidden && n->visible_ms <= w->now && !(n->late && w->overrun) &&
           !given_up(w, n);
}

/* Must the inbox not give this message, because it is older than the start? */
static bool forbidden(const world *w, const note *n)
{
    const avito_inbox_options *o = &w->device.inbox_options;
    if (n->odd) { /* without a believable time it cannot be recognised as old */
        return false;
    }
    if (!w->state_saved) {
        return true;
    }
    if (o->start == AVITO_START_SINCE) {
        return n->created < o->since;
    }
    if (people_odd(w, n->chat)) { /* the newest one may have been */
        return false;
    }
    if (o->start == AVITO_START_NOW) {
        return was_there(w, n) && n->created < w->start_newest;
    }
    return was_there(w, n) && n->read_at_start && n->created < w->start_newest;
}

/* Called when the first page of chats is served before any state was saved. */
void check_start_list(world *w)
{
    sim_chat_info chat;
    check_sync(w);
    w->start_list_ms = w->now;
    w->start_newest = 0;
    for (size_t i = 0; sim_chat_at(w->service, i, &chat); i++) {
        if (chat.type == SIM_U2I && chat.updated > w->start_newest && !people_odd(w, chat.id)) {
            w->start_newest = chat.updated;
        }
    }
    for (size_t i = 0; i < w->note_count; i++) {
        w->notes[i].read_at_start = w->notes[i].was_read;
    }
}

static const look *last_look(const world *w, const char *chat)
{
    static const look never = {"", INT64_MIN, false, 0, 0};
    for (size_t i = 0; i < w->look_count; i++) {
        if (strcmp(w->looks[i].chat, chat) == 0) {
            return &w->looks[i];
        }
    }
    return &never;
}

/* Oldest first within a chat: nothing older that could be seen was left out. A message that shows
 * up late may come after its neighbours, and so may one on a page that came empty again and
 * again. */
static void check_order(world *w, const note *n)
{
    const look *l = last_look(w, n->chat);
    const bool excused = l->spoilt || impl_gave_pages_up(&w->device.inbox);
    for (size_t i = w->done_before; i < w->note_count; i++) {
        note *o = &w->notes[i];
        const bool behind = !n->odd && !o->odd && o->created <= n->created && o->accepted == 0 &&
                            !o->reported && o->visible_ms < l->ms && !o->late &&
                            strcmp(o->chat, n->chat) == 0;
        o->passed = o->passed || (behind && excused);
        if (behind && o->created < n->created && !o->passed && owed(w, o)) {
            fail(w, "order", "%s is given before %s, which is older", n->id, o->id);
            return;
        }
    }
}

/* The unpaid tariff: 402 shows it, if it is the last answer. At the end of a round the inbox
 * repeats why it left a chat out. */
void check_refused(world *w, const avito_client *c, int rc)
{
    if (rc == AVITO_ERR_PAYMENT && avito_last_error(c)->http_status == 402 &&
        !avito_account_unpaid(c->account)) {
        fail(w, "tariff", "402, but the account is not said to be unpaid");
    }
}

/* A text shows it too, or that it is paid again, unless another lane has learned otherwise
 * meanwhile. */
static void check_tariff(world *w, const avito_message *m)
{
    const bool hidden = w->tariff_read != SIM_TARIFF_PAID;
    if (m->type != AVITO_MESSAGE_TEXT || w->device.spoilt) {
        return;
    }
    if (m->is_placeholder != hidden) {
        fail(w, "tariff", "%s: a text that is%s hidden", m->id.ptr, hidden ? "" : " not");
    }
    if (w->others_told_ms < w->tariff_read_ms) {
        const bool said = avito_account_unpaid(&w->device.account);
        const bool two = hidden && w->sentence_by != 0 && w->sentence_by != m->author_id &&
                         w->others_told_ms < w->sentence_ms; /* one author may have copied it */
        if (said ? !hidden : two) {
            fail(w, "tariff", "%s is%s hidden, but the account is said to be%s", m->id.ptr,
                 hidden ? "" : " not", said ? " unpaid" : " paid");
        }
    }
    w->sentence_by = hidden ? m->author_id : 0;
    w->sentence_ms = w->tariff_read_ms;
}

/* A byte changed on the way made an old message look new: it is given with a time that differs from
 * the service's. The client cannot tell once the ring has forgotten messages of that age. */
static bool made_new(const world *w, const note *n, const avito_message *m)
{
    return last_look(w, n->chat)->spoilt && !n->odd && m->created > n->created;
}

void check_given(world *w, const avito_message *m, bool polled)
{
    note *n = check_find(w, m->id.ptr, m->id.len);
    device *d = &w->device;
    w->given++;
    if (n == NULL &&
        d->spoilt) { /* a byte of its id was changed: it comes again under the right one */
        d->held = -1;
        return;
    }
    if (n == NULL) {
        fail(w, "receiving", "a message is given that does not exist");
        return;
    }
    mix(w, (uint64_t)(n - w->notes));
    d->held = (int)(n - w->notes);
    n->given++;
    say(w, "%s: %s%s", polled ? "given" : "offered", n->id, n->accepted ? " (again)" : "");
    if (m->chat_id.ptr == NULL || strcmp(m->chat_id.ptr, n->chat) != 0) {
        fail(w, "receiving", "%s is given with chat %s", n->id, m->chat_id.ptr);
    }
    if (n->accepted > 0 && !w->overrun && !made_new(w, n, m)) {
        fail(w, "receiving", "%s is given again after it was accepted", n->id);
    }
    if (polled && forbidden(w, n) && !last_look(w, n->chat)->spoilt) {
        fail(w, "receiving", "%s is given, but was there before the start", n->id);
    }
    if (polled && !w->overrun) {
        check_order(w, n);
    }
    if (polled && n->given == 1) {
        check_tariff(w, m);
    }
}

/* What a notification says, in whichever form: the whole message that the service means. */
void check_notified(world *w, const avito_message *m)
{
    const note *n = m != NULL ? check_find(w, m->id.ptr, m->id.len) : NULL;
    const avito_item_content *item =
        m != NULL && m->content.kind == AVITO_MESSAGE_ITEM ? m->content.as.item : NULL;
    if (n == NULL || !avito_str_equal(m->chat_id, n->chat)) {
        fail(w, "notification", "it speaks of %s", m == NULL ? "no message" : "another one");
    } else if (m->type == AVITO_MESSAGE_ITEM &&
               (item == NULL || item->title.ptr == NULL || item->item_url.ptr == NULL ||
                item->image_url.ptr == NULL)) {
        fail(w, "notification", "%s: its listing is not whole", n->id);
    }
}

void check_accepted(world *w, int index)
{
    note *n;
    if (index < 0) {
        return;
    }
    n = &w->notes[index];
    n->accepted++;
    say(w, "accepted: %s", n->id);
    while (w->done_before < w->note_count && w->notes[w->done_before].accepted > 0) {
        w->done_before++;
    }
}

/* "Mark as read" must not run ahead of the messages. */
void check_marked(world *w, const char *chat)
{
    const int64_t looked = last_look(w, chat)->ms;
    bool given = false;
    if (!w->device.inbox_options.mark_as_read) {
        fail(w, "marking", "%s is marked as read, which nobody asked for", chat);
    }
    for (size_t i = 0; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        given = given || (strcmp(n->chat, chat) == 0 && (n->accepted > 0 || n->reported));
    }
    if (!given && !w->device.spoilt && !people_odd(w, chat)) {
        fail(w, "marking", "%s is marked as read, of which nothing was given", chat);
    }
    for (size_t i = w->done_before; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        if (strcmp(n->chat, chat) == 0 && n->accepted == 0 && !n->reported && !n->own &&
            n->visible_ms < (looked == INT64_MIN ? w->now : looked) && owed(w, n)) {
            fail(w, "marking", "%s is marked as read before %s was accepted", chat, n->id);
            return;
        }
    }
}

/* A message that shows up late, after a newer one, is found by the late look at its chat once the
 * overlap has passed, or by the next whole look. The same finds what is in a chat that was refused,
 * and what stands where no look begins. */
static bool may_wait(const world *w, const note *n, int64_t begin)
{
    const avito_inbox_options *o = &w->device.inbox.o;
    const int64_t refused = last_look(w, n->chat)->refused_ms;
    const bool waits = n->late || n->odd || w->plan.odd_rows != 0;
    const int64_t from = waits && n->visible_ms > refused ? n->visible_ms : refused;
    return begin < from + 2000 * (int64_t)o->overlap_s + 2 * (int64_t)o->sweep_ms;
}

/* A round that ends without an error has given everything that could be seen when it began. Where
 * there is no room to remember all chats, it is what could be seen when the round before began: a
 * chat may move past the page in work. A changed byte hides a message until the next look at its
 * chat. */
void check_round(world *w)
{
    const int64_t begin = w->plan.records < 64 ? w->device.before_ms : w->device.round_ms;
    for (size_t i = w->done_before; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        if (n->accepted == 0 && !n->reported && n->visible_ms < begin && owed(w, n) &&
            !last_look(w, n->chat)->spoilt && !may_wait(w, n, begin)) {
            fail(w, "round", "%s is left behind by a round that ends well", n->id);
            return;
        }
    }
}

/* A message that was stored before becomes visible in the chat. */
static bool shows_late(const world *w, const char *chat)
{
    for (size_t i = w->done_before; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        if (n->late && n->accepted == 0 && n->visible_ms <= w->now && strcmp(n->chat, chat) == 0) {
            return true;
        }
    }
    return false;
}

/* A chat is looked at because it has changed, once more when nothing can be late any more, and
 * around the mark; where something fails, more often. While the inbox learns what is there at its
 * start no look makes a record, so a chat that moves in a list of many pages is met on each. A first
 * round that fails looks at all of its chats again. */
void check_looks(world *w, const char *chat)
{
    const avito_inbox_options *o = &w->device.inbox_options;
    const avito_inbox *inbox = &w->device.inbox;
    const bool again = impl_pressed(inbox) || impl_learns(inbox) || impl_first_round(inbox);
    if (shows_late(w, chat)) {
        check_looks_reset(w, chat);
    }
    for (size_t i = 0; i < w->look_count; i++) {
        look *l = &w->looks[i];
        l->times = again ? 0 : l->times;
        if (strcmp(l->chat, chat) == 0 && ++l->times > (o->mark_as_read ? 10u : 5u) &&
            w->plan.records >= 64 && w->plan.ring >= 100 && !w->plan.cancels &&
            !w->plan.own_calls && !w->plan.save_fails && !w->plan.broken && !w->plan.odd_times) {
            fail(w, "requests", "%s is looked at %u times since it changed", chat, l->times);
        }
    }
}

void check_looks_reset(world *w, const char *chat)
{
    for (size_t i = 0; i < w->look_count; i++) {
        if (chat == NULL || strcmp(w->looks[i].chat, chat) == 0) {
            w->looks[i].times = 0;
        }
    }
}

/* In a round with an overrun and a changed byte, a message that was not given may be hidden for
 * good. */
void check_hidden(world *w)
{
    for (size_t i = w->done_before; i < w->note_count; i++) {
        note *n = &w->notes[i];
        n->hidden = n->hidden || (n->accepted == 0 && n->visible_ms < w->now);
    }
}

/* ---------------------------------------------------------------- what goes over the wire */

static bool refused_before(const world *w, uint64_t bearer)
{
    for (size_t i = 0; i < w->refused_count && i < 64; i++) {
        if (w->refused_bearer[i] == bearer) {
            return true;
        }
    }
    return false;
}

static void check_token_request(world *w, const struct lane *l)
{
    const avito_account *a = &w->device.account;
    const uint32_t age = (device_ms(w) - a->priv.fetched_ms) / 1000u;
    const bool old = a->priv.epoch == 0 || a->priv.lifetime_s <= age + a->o.renew_before_s + 1u;
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        const struct lane *other = &w->device.lanes[i];
        if (other != l && other->link != NULL && other->link->wire.is_token &&
            impl_fetches_token(&other->client)) {
            fail(w, "tokens", "lanes %d and %d fetch a token at once", other->index, l->index);
        }
    }
    if (l->act != ACT_EXCHANGE && !old && !w->device.spoilt && !l->spoilt &&
        !refused_before(w, hash_text(a->priv.access, strlen(a->priv.access)))) {
        fail(w, "tokens", "lane %d fetches a token although the present one was not refused",
             l->index);
    }
}

/* Before the account's gate: in IDLE or ACCOUNT, or between two elements. */
void check_gate(world *w, struct lane *l)
{
    const unsigned state = impl_state(&l->client);
    if (state <= 1 || state >= 6) {
        l->passed_ms = w->now;
        l->passed_epoch = w->crashes;
    }
}

/* A rate of n per minute lets n requests go in a minute, plus those that the lanes had begun
 * before. */
static void check_rate(world *w, const struct lane *l)
{
    const uint32_t rate = w->device.account.o.requests_per_minute;
    if (!w->plan.clocks && w->rate_until > w->now && l->passed_ms > w->rate_told &&
        l->passed_epoch == w->crashes) {
        fail(w, "rate", "lane %d sends although the server asked to wait", l->index);
    }
    if (rate == 0 || w->plan.clocks) {
        return;
    }
    if (w->recent_count == w->recent_cap) {
        w->recent_cap = w->recent_cap * 2 + 64;
        w->recent = realloc(w->recent, w->recent_cap * sizeof *w->recent);
    }
    while (w->recent_from < w->recent_count && w->recent[w->recent_from] <= w->now - 60000) {
        w->recent_from++;
    }
    w->recent[w->recent_count++] = w->now;
    if (w->recent_count - w->recent_from > rate + w->plan.lanes * (1 + w->crashes)) {
        fail(w, "rate", "%zu requests within a minute", w->recent_count - w->recent_from);
    }
}

void check_request_begins(world *w, struct lane *l, struct link *k)
{
    wire *x = &k->wire;
    mix(w, hash_text(x->head, x->head_len));
    if (x->is_token) {
        check_token_request(w, l);
    }
    check_rate(w, l);
    if (x->job >= 0 && w->jobs[x->job].unsettled) {
        fail(w, "sending", "job %d: a write is repeated that may have been stored", x->job);
    }
}

/* A call ends in its time even on a slow line, and gives up only a line that was silent for the
 * idle time. */
void check_time(world *w, const struct lane *l, int rc)
{
    const avito_client_options *o = &l->client.o;
    const job *j = l->act == ACT_SEND ? &w->jobs[l->job] : NULL;
    const bool settled = j != NULL && (j->read_back || j->needs_token);
    if (rc == AVITO_AGAIN || l->act == ACT_NONE || w->plan.clocks) {
        return;
    }
    if (w->now - l->began_ms > (int64_t)o->total_timeout_ms + 1000) {
        fail(w, "time", "lane %d: a call takes %lld ms, over its time", l->index,
             (long long)(w->now - l->began_ms));
    }
    if (rc == AVITO_ERR_TIMEOUT_IDLE && !settled && w->now - l->moved_ms < o->idle_timeout_ms) {
        fail(w, "time", "lane %d: given up, but bytes moved %lld ms ago", l->index,
             (long long)(w->now - l->moved_ms));
    }
}

/* ---------------------------------------------------------------- after every step */

static void check_memory(world *w)
{
    const device *d = &w->device;
    bool whole = room_whole(&d->tokens) && room_whole(&d->state) && room_whole(&d->inbox_room) &&
                 room_whole(&d->hook_room) && room_whole(&d->hook_buffer);
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        whole = whole && room_whole(&d->lanes[i].window) && room_whole(&d->lanes[i].room);
    }
    if (!whole) {
        fail(w, "memory", "bytes beside the memory given were written");
    }
}

/* A refresh token that may be spent is reported as such, and no other is. */
static void check_doubt(world *w)
{
    const bool told = avito_account_refresh_in_doubt(&w->device.account);
    bool fetching = false;
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        fetching = fetching || impl_fetches_token(&w->device.lanes[i].client);
    }
    if (told) { /* it lasts: counted at every step, since few lanes are just sending when it begins */
        happened(w, F_SPENT, -1);
    }
    if (told && !w->was_in_doubt) {
        say(w, "the refresh token is in doubt");
    }
    w->was_in_doubt = told;
    if (!fetching && told != w->refresh_open && !(told && w->plan.corrupt)) {
        fail(w, "tokens", "the refresh token is%s said to be in doubt", told ? "" : " not");
    }
}

void check_step(world *w)
{
    check_memory(w);
    check_doubt(w);
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        if (w->device.lanes[i].idle_rounds > 3) {
            fail(w, "progress", "lane %u: ready, but nothing moves in state %s", i,
                 impl_state_name(impl_state(&w->device.lanes[i].client)));
        }
    }
}

/* Before the clock goes on: every lane waits for something that can come, and not for ever. */
void check_wait(world *w)
{
    const int known = AVITO_WANT_READ | AVITO_WANT_WRITE | AVITO_WANT_TIMER | AVITO_WANT_ACCOUNT;
    const device *d = &w->device;
    bool waiting = false, working = false;
    if (!d->up) {
        return;
    }
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        const struct lane *l = &d->lanes[i];
        const int wants = avito_wants(&l->client);
        w->device.lanes[i].idle_rounds = 0;
        if (!impl_call(&l->client) || l->at_row) {
            continue;
        }
        if (wants == 0 || (wants & ~known) != 0 ||
            avito_deadline_ms(&l->client) > l->client.o.total_timeout_ms) {
            fail(w, "waiting", "lane %u waits for %d without a deadline", i, wants);
        }
        waiting = waiting || wants == AVITO_WANT_ACCOUNT;
        working = working || wants != AVITO_WANT_ACCOUNT;
    }
    if (waiting && !working) {
        fail(w, "tokens", "lanes wait for a token that nobody fetches");
    }
    if (!d->holding &&
        (avito_inbox_wants(&d->inbox) == 0 || avito_inbox_deadline_ms(&d->inbox) > 86400000u)) {
        fail(w, "waiting", "the inbox waits without a deadline");
    }
}

/* ---------------------------------------------------------------- at the end */

bool check_owing(world *w)
{
    check_sync(w);
    for (size_t i = w->done_before; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        if (n->accepted == 0 && !n->reported && owed(w, n)) {
            return true;
        }
    }
    for (size_t i = 0; i < w->job_count; i++) {
        if (w->jobs[i].state < JOB_SENT) {
            return true;
        }
    }
    return false;
}

static void check_job(world *w, int i)
{
    const job *j = &w->jobs[i];
    if (j->state < JOB_SENT) {
        fail(w, "sending", "job %d never ends: state %d", i, (int)j->state);
    } else if (j->state == JOB_GIVEN_UP && j->stored != 0 && !j->misled) {
        fail(w, "sending", "job %d is not sent, but stored", i);
    } else if (j->state == JOB_SENT && j->stored != 1 && !(j->by_confirm && j->rivalled) &&
               !j->misled) {
        fail(w, "sending", "job %d is sent, but stored %u times", i, j->stored);
    }
}

/* A chat that is not ours costs one token each time that the device is switched on, and a few more
 * for refusals in a row: after a minute, then after twice as long each time. Tokens that expired or
 * were revoked meanwhile may cost five at once. */
static void check_tokens_issued(world *w)
{
    const uint64_t most = 2u * (w->crashes + 1u) + (uint64_t)(w->plan.length_ms / 60000) + 8u;
    const uint64_t issued = sim_get_stats(w->service)->tokens_issued;
    if (w->plan.foreign && issued > most) {
        fail(w, "tokens", "%llu were fetched for a chat that no token opens",
             (unsigned long long)issued);
    }
}

void check_end(world *w)
{
    check_sync(w);
    check_tokens_issued(w);
    for (size_t i = 0; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        if (n->accepted == 0 && !n->reported && owed(w, n)) {
            fail(w, "receiving", "%s is lost", n->id);
        }
    }
    for (size_t i = 0; i < w->job_count; i++) {
        check_job(w, (int)i);
    }
    if (!w->state_saved) {
        fail(w, "receiving", "the inbox never began");
    }
}
