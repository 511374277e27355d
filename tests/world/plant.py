#!/usr/bin/env python3
"""Self-test of the world: plants one bug at a time into a copy of the header and counts the seeds until a
check notices. A patch that does not apply, or applies twice, is a failure: the bug must really be in. A bug
that does harm only at one moment in thousands of seeds is left to a unit test that creates that moment.

    plant.py [--seeds N] [NAME...]      needs the objects of build/world (make build/world)
"""
import glob
import os
import re
import subprocess
import sys

HEADER = "avito_messenger.h"
OUT = "build/world.bugs"

# (name, what is wrong, old text, new text). Old texts are looked for without regard to white space.
BUGS = [
    ("no-ring", "no duplicate ring",
     "static bool avitoi_inbox_ring_has(const avito_inbox *in, uint64_t hash) {",
     "static bool avitoi_inbox_ring_has(const avito_inbox *in, uint64_t hash) {\n"
     "    if (in->client != NULL) { return false; }"),
    ("cursor-early", "the horizon moves without the overlap",
     "uint32_t horizon = avitoi_inbox_minus_overlap( in, dated",
     "uint32_t horizon = (dated"),
    ("one-round", "the horizon passes what one round alone has looked for",
     "const uint32_t former = in->priv.former;",
     "const uint32_t former = avitoi_inbox_now(in) != 0 ? in->priv.sure : in->priv.newest;"),
    ("quick-horizon", "a round that did not reach the end of the list moves the horizon",
     "return in->priv.at_end ? avitoi_inbox_round_counts(in) : (int)AVITO_AGAIN;",
     "return avitoi_inbox_round_counts(in);"),
    ("cursor-before", "the horizon moves when a row is read, not when nothing was left",
     "in->priv.updated = row->time; /* a chat may slip by meanwhile: the next round finds it */ } }",
     "in->priv.updated = row->time;\n"
     "            if (row->time > avitoi_inbox_horizon(in) + in->o.overlap_s &&\n"
     "                in->priv.stage == AVITOI_INBOX_RUNS) {\n"
     "                avitoi_inbox_put(avitoi_inbox_state_of(in)->horizon, row->time - 1u);\n            }\n"
     "        }\n    }"),
    ("one-date", "one answer's Date moves the horizon",
     "return in->priv.date < in->priv.before ? in->priv.date : in->priv.before;",
     "return in->priv.date;"),
    ("save-after-mark", "accept() does not save; the state is saved after the chat was marked",
     "in->priv.created); if (avitoi_inbox_save(in) == AVITO_OK) {",
     "in->priv.created);\n"
     "    if (in->o.mark_as_read || avitoi_inbox_save(in) == AVITO_OK) {"),
    ("mark-before-fetch", "a chat is marked as read before its messages are read",
     "in->priv.anchor = 0; return avitoi_inbox_read_top(in);",
     "in->priv.anchor = 0;\n    in->priv.phase = in->o.mark_as_read ? AVITOI_INBOX_GIVE : AVITOI_INBOX_NEXT;\n"
     "    return in->o.mark_as_read ? avitoi_inbox_move(in, AVITOI_INBOX_EV_MARK) : avitoi_inbox_read_top(in);"),
    ("mark-unasked", "a chat is marked as read for who did not ask for it",
     "in->o.mark_as_read ? AVITOI_INBOX_MARK_OWED : AVITOI_INBOX_MARK_NONE;",
     "AVITOI_INBOX_MARK_OWED;"),
    ("mark-known", "a chat of which nothing was given is marked as read after a restart",
     "in->priv.owes_marks != 0 && row->time > avitoi_inbox_horizon(in) && m != NULL",
     "in->priv.owes_marks != 0 && m != NULL"),
    ("mark-unchecked", "a chat is marked without a look for what showed up late",
     "return (in->priv.flaws & (AVITOI_INBOX_CUT | AVITOI_INBOX_FRESH)) != 0 ? avitoi_inbox_read_top(in)",
     "return false ? avitoi_inbox_read_top(in)"),
    ("no-anchor", "the last row of a window is not compared",
     "if (in->priv.window_last != 0 && key == in->priv.window_last) {",
     "if (in->priv.window_last != 0 && in->priv.rows == in->priv.limit) {"),
    ("no-overlap", "the row that two pages of chats share is not looked for",
     "if (!in->priv.anchored && !in->priv.full) { /* rows have moved up */",
     "if (false) {"),
    ("kept-gap", "messages are kept with a gap between them",
     "in->priv.kept = 0; in->priv.dropped = true; in->priv.found = true;",
     "in->priv.dropped = true;\n    in->priv.found = in->priv.kept == 0;"),
    ("starved", "a chat that fails holds up the ones behind it",
     "} else if (in->priv.failed) {", "} else if (false) {"),
    ("settles-at-once", "a chat that was looked at once has no late look",
     "r->until = until > in->priv.look ? until : in->priv.look + 1u;",
     "r->until = until * 0u;"),
    ("row-unseen", "a row is not compared with its record",
     "if (avitoi_inbox_now(in) == 0 || r->updated != time || (r->row & ~AVITOI_INBOX_REFUSED) != hash ||",
     "if (avitoi_inbox_now(in) == 0 || r->row == 0 ||"),
    ("unsettled-ignored", "what waits for its late look does not hold the horizon",
     "in->priv.sure = in->priv.sure < r->moved ? in->priv.sure : r->moved;", ""),
    ("refused-forgotten", "a chat that was refused does not hold the horizon",
     "avitoi_inbox_horizon(in) + in->o.overlap_s, in->priv.look + in->o.overlap_s);",
     "in->priv.look, in->priv.look + in->o.overlap_s);"),
    ("no-pass-more", "chats that moved up past the page in work are not looked for",
     "if (!in->priv.looked || in->priv.offset == 0) {",
     "if (in->priv.offset < 2000u) {"),
    ("first-round-once", "the first round of AVITO_START_UNREAD looks at a chat once",
     "if (records != NULL && (pressed || in->priv.stage == AVITOI_INBOX_UNREAD)) {",
     "if (records != NULL && pressed) {"),
    ("lane-taken", "the inbox takes over a call of the program's own",
     "if (c->priv.call != NULL && c->priv.owner != inbox) {", "if (false) {"),
    ("ahead-believed", "a time ahead of the service's Date is believed",
     "return time == 0 || time > avitoi_inbox_ceiling(in);", "return time == 0;"),
    ("ahead-forgotten", "an id with a time that is not believed is the first that the ring forgets",
     "return created > avitoi_inbox_ceiling(in) ? avitoi_inbox_horizon(in) : created;",
     "return created > avitoi_inbox_ceiling(in) ? 1u : created;"),
    ("ahead-unforgettable", "an id with a time that is not believed takes the place of others for ever",
     "return created > avitoi_inbox_ceiling(in) ? avitoi_inbox_horizon(in) : created;",
     "return created;"),
    ("ahead-renamed", "a time that is not believed is not noted where a notification had another one",
     "if ((odd || hidden) && !avitoi_inbox_is_odd(in, avitoi_inbox_get(p->created))) {", "if (false) {"),
    ("ahead-unchecked", "a message with a time that is not believed is not read twice",
     "((odd && in->priv.limit != 1u) || !avitoi_inbox_keep_message(in, row))", "!avitoi_inbox_keep_message(in, row)"),
    ("newest-above", "the newest chat as a round begins is one of the first page, whatever the order",
     "(in->priv.offset == 0 || in->priv.disorder)) {", "in->priv.offset == 0) {"),
    ("slips-ignored", "an overrun jumps past a chat that slipped by",
     "|| (avitoi_inbox_slips(in) && !settled) ||", "||"),
    ("wiped-from-load", "an inbox is begun again from its own load()",
     "if (rc != AVITO_ERR_BUSY || inbox->client != client) {", "{"),
    ("start-changed", "a time that one list of chats alone has says what is new",
     "(avitoi_inbox_now(in) == 0 || in->priv.restarts < AVITOI_INBOX_STARTS)", "avitoi_inbox_now(in) == 0"),
    ("learns-once", "what has a time ahead in one answer was there at the start",
     "if (in->priv.stage != AVITOI_INBOX_LEARNS || (odd && in->priv.limit != 1u)) {",
     "if (in->priv.stage != AVITOI_INBOX_LEARNS) {"),
    ("horizon-ahead", "a stored horizon ahead of the service's Date stays",
     "if (avitoi_inbox_horizon(in) > avitoi_inbox_ceiling(in)) {", "if (false) {"),
    ("unreadable-again", "a row that cannot be read is reported in every round",
     "if (avitoi_inbox_ring_has(in, key)) { return false; }",
     "if (avitoi_inbox_ring_has(in, key)) {\n        return true;\n    }"),
    ("order-trusted", "the whole list is read at the start only",
     "if (avitoi_number_elapsed(avitoi_inbox_clock(in), in->priv.whole_ms) >= in->o.sweep_ms) {", "if (false) {"),
    ("refused-is-empty", "a refusal under 200 counts as an empty list",
     "return avitoi_answer_says_no(reply, true) ? avitoi_answer_refused(c, AVITO_ERR_REFUSED) : (int)AVITO_ERR_MODEL;",
     "if (c->priv.call->end != NULL && !c->priv.collect) {\n        j->list_depth = 1;\n"
     "        return c->priv.call->end(c);\n    }\n    return AVITO_ERR_MODEL;"),
    ("torn-believed", "a slot that was torn before its former rest counts if the check fits",
     "(again == 0 || again == avitoi_inbox_get(s->sequence))", "again == again"),
    ("account-unasked", "a state of another account is taken over",
     "if ((low | high) != 0 && (low", "if (false && (low"),
    ("lock-ignored", "an inbox begins without the state that it could not load",
     "rc = in->o.load(in->o.ctx, slot, s, in->o.state_cap, &len);",
     "rc = in->o.load(in->o.ctx, slot, s, in->o.state_cap, &len);\n        rc = rc < 0 ? (int)AVITO_END : rc;"),
    ("endless-call", "a call goes on for as long as there is more",
     "in->priv.eager = in->priv.raised || steps > AVITOI_INBOX_STEPS ||",
     "in->priv.eager = in->priv.raised ||"),
    ("nap-too-long", "a lane that may wait sleeps until the next round, whatever nap_ms says",
     "in->o.nap_ms != 0 && in->o.nap_ms < left ? in->o.nap_ms : left;", "left;"),
    ("jump-endless", "a clock that jumps past the end of a pause, as while it sleeps, makes it endless",
     "return avitoi_number_minus(in->priv.wait_ms, passed);", "return in->priv.wait_ms - passed;"),
    ("stale-window", "a chat that was emptied is read on where its rows were",
     "in->priv.above = 0;\n    in->priv.limit = 0;", "in->priv.limit = 0;"),
    ("disorder-false", "the row that two pages share has the time of a message",
     "in->priv.anchored = true;\n        in->priv.row_created = row->time;", "in->priv.anchored = true;"),
    ("odd-said-again", "each message with a time ahead is an event",
     "in->priv.flaws |= AVITOI_INBOX_SAID;", ""),
    ("hook-enters", "a hook may call the inbox that called it",
     ": in->client->priv.inside  ? AVITO_ERR_BUSY", ": false ? AVITO_ERR_BUSY"),
    ("arena-believed", "what another call has put into the arena is taken for the inbox's own",
     "return arena->fills == in->priv.fills && arena->used >= held", "return arena->used == held"),
    ("never-settles", "an unchanged chat is looked at in every round",
     "r->until = look >= r->until ? 0u : r->until;", "r->until = look;"),
    ("offer-of-another", "a notification of another account is taken",
     "(message->user_id != 0 && message->user_id != inbox->o.user_id)", "false"),
    ("write-repeated", "a write that may have been stored is tried again",
     "|| rows_given || spent || ((c->priv.call->flags & AVITOI_ENDPOINT_CHANGES) != 0 && "
     "avitoi_error_outcome(c, code) != AVITO_NOT_SENT)",
     "|| rows_given || spent"),
    ("upload-repeated", "an upload that may have been stored is tried again",
     "|| rows_given || spent || ((c->priv.call->flags & AVITOI_ENDPOINT_CHANGES) != 0 && "
     "avitoi_error_outcome(c, code) != AVITO_NOT_SENT)",
     "|| rows_given || spent ||\n"
     "        ((c->priv.call->flags & (AVITOI_ENDPOINT_CHANGES | AVITOI_ENDPOINT_MULTIPART)) == AVITOI_ENDPOINT_CHANGES &&\n"
     "         avitoi_error_outcome(c, code) != AVITO_NOT_SENT)"),
    ("source-padded", "what the source of a picture does not give is sent as zeros",
     "w->failed = true; return;",
     "memset(w->out + w->len, 0, want);\n            got = (long)want;"),
    ("source-short", "what the source gave at once is taken for all that it was asked for",
     "w->len += (size_t)got; at += (size_t)got;",
     "w->len += (size_t)got;\n        at += want;"),
    ("source-unmoved", "a piece that was sent in part is read from the wrong place",
     "at = w->skip; w->skip = 0; while (at < source->size && w->len < w->cap) {",
     "at = w->skip & ~1u;\n    w->skip = 0;\n    while (at < source->size && w->len < w->cap) {"),
    ("picture-any", "a picture that cannot tell takes any message of the account for its own",
     "if (q->text == NULL ? m->type == AVITO_MESSAGE_IMAGE",
     "if (q->text == NULL ? m->type != AVITO_MESSAGE_NONE"),
    ("line-is-silent", "what a slow line takes is no sign of life",
     "avitoi_exchange_alive(c); if (c->priv.request->special != NULL && c->priv.request->special->sent != NULL) {",
     "if (c->priv.request->special != NULL && c->priv.request->special->sent != NULL) {"),
    ("trickle-is-silent", "what a slow line brings is no sign of life",
     "c->priv.moved_ms = c->priv.last_ms; avitoi_exchange_alive(c); return AVITO_OK;",
     "c->priv.moved_ms = c->priv.last_ms;\n    return AVITO_OK;"),
    ("slow-for-ever", "a slow line may take as long as it likes",
     "if (c->priv.total_left_ms == 0) { return AVITO_ERR_TIMEOUT_TOTAL; }", ""),
    ("early-unread", "an answer to an upload is not looked for before all has left",
     "rc = (c->priv.sent > 0) ? avitoi_exchange_early_answer(c) : AVITO_AGAIN;",
     "rc = AVITO_AGAIN;"),
    ("last-words", "when sending fails, what the service said before is not read",
     "c->priv.send_error = (int16_t)avitoi_error_of_transport(c, n, AVITO_ERR_SEND);",
     "return avitoi_error_of_transport(c, n, AVITO_ERR_SEND);"),
    ("never-sure", "a write that never left whole counts as cannot tell",
     "!c->priv.written || (refusal", "(refusal"),
    ("refusal-unsure", "a refusal because of its size counts as cannot tell",
     "refusal != AVITO_ERR_CONFLICT)", "refusal != AVITO_ERR_CONFLICT && refusal != AVITO_ERR_TOO_LARGE)"),
    ("waits-unasked", "a lane that may not wait does",
     "c->o.transport.functions->wait != NULL && !c->o.never_wait;",
     "c->o.transport.functions->wait != NULL;"),
    ("wait-for-ever", "a lane waits without a deadline",
     "uint32_t ms = avito_deadline_ms(c); int waited;",
     "uint32_t ms = 0x7fffffff;\n        int waited;"),
    ("token-unseen", "a lane that waits does not look whether another has fetched the token",
     "if (c->priv.waiting && ms > 20u) {", "if (c->priv.waiting && ms > 0x7fffffffu) {"),
    ("waits-once", "a lane that may wait waits once only",
     "while (rc == AVITO_AGAIN && avitoi_call_may_wait(c)) {",
     "if (rc == AVITO_AGAIN && avitoi_call_may_wait(c)) {"),
    ("hidden-is-no", "a text that the unpaid tariff hides is taken for another one",
     "m->created <= 0 || m->is_placeholder) {", "m->created <= 0) {"),
    ("hidden-unsaid", "a text that the unpaid tariff hides is given as what was written",
     "m->is_placeholder = avitoi_text_starts(text, AVITOI_SCHEMA_PLACEHOLDER);",
     "m->is_placeholder = false;"),
    ("unpaid-unsaid", "402 is not remembered",
     "a->priv.unpaid = true;", "(void)a;"),
    ("paid-unnoticed", "what is unpaid once remains so",
     "a->priv.unpaid = j->tariff == AVITOI_SCHEMA_TARIFF_MISSING;",
     "a->priv.unpaid |= j->tariff == AVITOI_SCHEMA_TARIFF_MISSING;"),
    ("paid-late", "texts tell of the tariff only when the list was read to its end",
     "avitoi_answer_heed_tariff(c); return came; }", "return came;\n}"),
    ("absence-is-no", "a message that is not there yet is taken for not sent at once",
     "q->age_s >= (q->grace_s != 0 ? q->grace_s : 60u);",
     "q->age_s >= q->grace_s;"),
    ("settled-early", "a send that finds out by itself does not wait for what shows up late",
     "avitoi_number_elapsed(c->priv.last_ms, c->priv.args.as.confirm.sent_ms) / 1000u;",
     "avitoi_number_elapsed(c->priv.last_ms, c->priv.args.as.confirm.sent_ms) / 1000u + 60u;"),
    ("settled-anyhow", "a send that finds out by itself that it was not sent is a success",
     "return c->priv.verdict == AVITO_SENT ? AVITO_OK : (int)c->priv.cause;",
     "return AVITO_OK;"),
    ("settled-by-another", "a send that finds out by itself takes an older message for its own",
     "    c->priv.args.as.confirm.query.baseline_created = c->priv.baseline->baseline_created;",
     "    c->priv.args.as.confirm.query.baseline_id = NULL;\n"
     "    c->priv.args.as.confirm.query.baseline_created = 0;\n"
     "    c->priv.args.as.confirm.query.claimed_count = 0;"),
    ("settled-needlessly", "a send that was refused is looked for in the chat",
     "|| c->priv.out == NULL || avitoi_error_outcome(c, rc) != AVITO_CANNOT_TELL) {",
     "|| c->priv.out == NULL) {"),
    ("forged-taken", "a notification that the verifier refuses is taken",
     "w->o.verify(w->o.ctx, body, len, avito_webhook_signature(w)) != AVITO_OK) {",
     "w->o.verify(w->o.ctx, body, len, avito_webhook_signature(w)) == AVITO_AGAIN) {"),
    ("flat-unread", "a notification without an envelope is none",
     "if (rc != AVITO_OK || r->envelope.payload != NULL || r->envelope.chat_id.ptr == NULL) {",
     "if (rc != AVITO_OK || r->envelope.payload != NULL || r->len > 0) {"),
    ("untyped-unread", "a payload without a type holds no message",
     "!(payload->type.ptr == NULL || avito_str_equal(payload->type, \"message\"))",
     "!avito_str_equal(payload->type, \"message\")"),
    ("bom-refused", "a notification after a byte order mark is no JSON",
     "const bool bom = len >= 3 &&", "const bool bom = len == 0 &&"),
    ("listing-unread", "a listing as a chat has it is sent without its picture",
     "wide->item.image_url = wide->images->main.items[0].url;", "(void)wide;"),
    ("array-refused", "PHP's empty object makes a row unreadable",
     "if (c == '[' && (AVITOI_JSON_OBJECTS >> field->kind & 1u) != 0) {",
     "if (c == '[' && j->level == 0) {"),
    ("no-handover", "a renewer that is cancelled keeps the duty",
     "if (a->o.priv.lanes != NULL && a->priv.renewer == c) { a->priv.renewer = NULL;",
     "if (a->priv.renewer == c && c->error.code != AVITO_ERR_CANCELLED) {\n"
     "        a->priv.renewer = NULL;"),
    ("epoch-ignored", "a refusal of an older token counts against the present one",
     "if (a->priv.epoch != epoch || a->priv.lifetime_s == 0) { return true; /* there is a newer one already, or will be */ }",
     "if (a->priv.epoch != epoch) { a->priv.lifetime_s = 0; }\n"
     "    if (a->priv.lifetime_s == 0) { return true; }"),
    ("renewed-per-call", "each 403 that no token can cure fetches one",
     "if (again || (!a->priv.proven && now - a->priv.fetched_ms < 60000u) ||",
     "if (a->priv.proven && !again) {\n        a->priv.lifetime_s = 0;\n        return true;\n    }\n"
     "    if (again || (!a->priv.proven && now - a->priv.fetched_ms < 60000u) ||"),
    ("refusal-is-empty", "a chat that is read back and refused under a success status is empty",
     "if (!avitoi_answer_came(&c->priv.json)) { return AVITO_ERR_MODEL; }", ""),
]

# These need one row, or one digit, among thousands: a unit test creates it.
PINNED = {"no-overlap": "tests/api/inbox_test.c", "one-round": "tests/api/inbox_test.c",
          "quick-horizon": "tests/api/inbox_test.c", "one-date": "tests/api/inbox_test.c",
          "horizon-ahead": "tests/api/inbox_test.c", "unreadable-again": "tests/api/inbox_test.c",
          "offer-of-another": "tests/api/inbox_test.c",
          "stale-window": "tests/api/inbox_test.c", "disorder-false": "tests/api/inbox_test.c",
          "odd-said-again": "tests/api/inbox_test.c", "hook-enters": "tests/api/inbox_test.c",
          "start-changed": "tests/api/inbox_test.c", "learns-once": "tests/api/inbox_test.c",
          "ahead-forgotten": "tests/api/inbox_test.c", "ahead-unforgettable": "tests/api/inbox_test.c",
          "ahead-renamed": "tests/api/inbox_test.c", "ahead-unchecked": "tests/api/inbox_test.c",
          "newest-above": "tests/api/inbox_test.c",
          "slips-ignored": "tests/api/inbox_test.c", "wiped-from-load": "tests/api/inbox_test.c", "torn-believed": "tests/port/inbox_state_test.c",
          "arena-believed": "tests/api/inbox_test.c", "first-round-once": "tests/api/inbox_test.c", "epoch-ignored": "tests/api/token_test.c"}


# The first seeds that noticed these, the last time: they are tried before all others, which takes a minute less.
SEEN = {"mark-unchecked": 186, "refused-forgotten": 489, "no-pass-more": 607, "order-trusted": 430,
        "endless-call": 151, "picture-any": 173, "slow-for-ever": 213, "last-words": 133, "hidden-is-no": 381,
        "settled-early": 316, "settled-by-another": 113, "ahead-believed": 58, "no-handover": 73,
        "settled-anyhow": 63}


def plant(text, old, new):
    """The text with the bug in it; None unless the place was found exactly once."""
    pattern = r"\s*".join(re.escape(word) for word in old.split())
    found = re.findall(pattern, text)
    if len(found) != 1:
        return None
    return re.sub(pattern, lambda m: new, text)


def build(name, text, program, sources, others):
    """The sources with the bug in the header, compiled by tcc: what it takes to compile is more than what
    the few seeds take longer."""
    folder = os.path.join(OUT, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, HEADER), "w", encoding="utf-8") as file:
        file.write(text)
    objects = []
    for source in sources:
        objects.append(os.path.join(folder, os.path.basename(source)[:-2] + ".o"))
        subprocess.run(["tcc", "-std=c99", "-D_GNU_SOURCE", "-w", "-I" + folder, "-I.", "-Itests",
                        "-c", source, "-o", objects[-1]], check=True)
    program = os.path.join(folder, program)
    subprocess.run([os.environ.get("CC", "gcc"), "-z", "noexecstack", *objects, *others, "-o", program], check=True)
    return program


def noticed_by_test(name, text):
    """The first test that fails with the bug in; None: none does."""
    program = build(name, text, "unit_test", [
        PINNED[name], *sorted(glob.glob("tests/support/*.c")), "tests/world/impl.c"], ["-lcmocka"])
    run = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace", check=False,
                         env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "STDOUT"})
    failed = re.search(r"FAILED  \] (test_\w+)", run.stdout)
    return failed and "%s, %s" % (PINNED[name], failed[1])


def noticed_by_world(name, text, objects, seeds):
    """A seed that fails with the bug in, and why; None: none does."""
    program = build(name, text, "world", ["tests/world/impl.c"], [*objects, "-lhttp_parser", "-lcjson"])
    for which in ["--from", str(SEEN.get(name, 1)), "--seeds", "1"], ["--seeds", seeds]:
        run = subprocess.run([program, *which, "--first"], capture_output=True, text=True, errors="replace", check=False)
        caught = re.search(r"^seed (\d+): ([^:]*): (.*)$", run.stdout, re.M)
        if run.returncode != 0 and caught:
            return "seed %s, %s: %s" % caught.groups()
    return None


def main():
    seeds, names = "2000", []
    args = sys.argv[1:]
    while args:
        word = args.pop(0)
        if word == "--seeds":
            seeds = args.pop(0)
        else:
            names.append(word)
    parts = ["world", "net", "people", "hook", "device", "picture", "check", "main"]
    objects = ["build/obj/tests/world/%s.o" % part for part in parts] + ["build/libsimulator.a"]
    with open(HEADER, encoding="utf-8") as file:
        clean = file.read()
    failed = 0
    for name, what, old, new in BUGS:
        if names and name not in names:
            continue
        text = plant(clean, old, new)
        if text is None:
            print("not ok - %s: the place for the bug was not found once; mend tests/world/plant.py" % name)
            failed += 1
            continue
        if name in PINNED:
            caught = noticed_by_test(name, text)
        else:
            caught = noticed_by_world(name, text, objects, seeds)
        if caught is None:
            print("not ok - %s (%s): not noticed in %s" %
                  (name, what, PINNED.get(name, seeds + " seeds")))
            failed += 1
        else:
            print("ok - %s (%s): %s" % (name, what, caught))
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
