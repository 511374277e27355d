"""Leaves rules of the fleet out of copies of tools/avito/fleet.c, one at a time. tests/avito/fleet_test.c
must notice each; the simulated worlds of fleet_sim.c must notice some by chance ("random" on the command
line); and those of fleet_join_sim.c ("joined") some, and bugs in what stands around it. Other words choose
plants by a part of their name."""
import sys

from gateway_plants import CORE as GATEWAY, link, noticed, plant, tell

FOLDER = "build/fleet_plant/%s"  # a test each: their scripts run at once
CORE = ["ledger", "jsonl", "language", "mqtt", "order"]
JOIN_CORE = GATEWAY + ["fleet", "fleet_seat"]
PLANTS = [
    ("F1 the client id does not need the secret", '    hmac(secret, len, "client id"', '    hmac("", 0, "client id"'),
    ("F1 a short secret is taken", "if (secret_len < FLEET_SECRET_MIN) {", "if (secret_len < 1) {"),
    ("F1 an account by consent is taken", "    if (by_consent) {", "    if (by_consent && secret_len == 0) {"),
    ("F2 nothing waits for the marker", "    return a->priv.marked && a->priv.marker_answered && a->priv.probe_answered &&", "    return"),
    ("F2 the epoch begins at 1", "    raise_epoch(a, a->priv.seen_epoch + 1);\n    keep_epoch", "    raise_epoch(a, 1);\n    keep_epoch"),
    ("F2 the epoch of beats is not seen", "    see_epoch(a, epoch);\n    if (stored ||", "    if (stored ||"),
    ("F2 online without the ledger's PUBACK", "a->priv.step == STEP_LEDGER && is_stored(&a->priv.ledger, a->priv.ledger.version)",
     "a->priv.step == STEP_READ && a->priv.session_present | 1"),
    ("F2 active before online is stored", "            a->priv.step = STEP_ONLINE;", "            a->priv.step = STEP_ONLINE;\n            a->state = FLEET_ACTIVE;\n            a->priv.f->o.hooks.begin(a->priv.f->o.hooks.ctx, a);"),
    ("F2 early commands are dropped", "    return a->state == FLEET_CLAIMING ? FLEET_KEEP\n", "    return a->state == FLEET_CLAIMING ? FLEET_TAKEN\n"),
    ("F8 what the broker refuses is handed over", "a->state == FLEET_ACTIVE && can_leave ?", "a->state == FLEET_ACTIVE && (can_leave || true) ?"),
    ("F8 who leaves takes commands", "                                      : FLEET_TAKEN;", "                                      : FLEET_PASS;"),
    ("F2 a claim may last for ever", "    if (is_over(a->priv.from_ms, a->priv.f->o.times.claim, now_ms)) {", "    if (false) {"),
    ("F2 state that is too large is none", "        cannot_read(a, now_ms);\n    }\n    return FLEET_TAKEN;", "    }\n    return FLEET_TAKEN;"),
    ("F2 state that finds no memory is none", "    } else if (a->priv.state == NULL) {", "    } else if (false) {"),
    ("F2 the marker's PUBACK is not waited for", "a->priv.marked && a->priv.marker_answered && a->priv.probe_answered &&", "a->priv.marked && a->priv.probe_answered &&"),
    ("F2 the probe's PUBACK is not waited for", "a->priv.marked && a->priv.marker_answered && a->priv.probe_answered &&", "a->priv.marked && a->priv.marker_answered &&"),
    ("F2 what is not there is not waited for", "is_over(a->priv.marked_ms, a->priv.f->o.times.none, now_ms));", "true);"),
    ("F2 a marker without room is not published again", "    } else if (a->priv.step == STEP_READ) {\n        ask_broker(a, now_ms);\n", "    } else if (false) {\n"),
    ("F2 what is not stored is read", "    if (!m->retain) { /* a former holder's, still on its way to the session */\n        return;\n    }\n", ""),
    ("F2 the state stays subscribed", "    (void)h->unsubscribe(h->ctx, a, filters, STATES);\n", ""),
    ("F2 the epoch of the inbox is not seen", "    see_epoch(a, number_of(mqtt_property(m, \"epoch\")));\n    if (avito_str_equal(kind", "    if (avito_str_equal(kind"),
    ("F2 a claim that is denied goes on", "    if (a->state == FLEET_CLAIMING && reason >= 0x80) {", "    if (false) {"),
    ("F2 who cannot serve it claims again at once", "        a->priv.wait_ms += a->priv.refused ? a->priv.f->o.times.denied : 0;\n", ""),
    ("F2 the session's number outlives the session", "    if (!a->priv.session_present || !a->priv.has_ledger) {", "    if (!a->priv.has_ledger) {"),
    ("F2 the probe is not looked at", "a->priv.probe_reason == MQTT_REASON_NOBODY_LISTENS;", "a->priv.probe_reason != 1;"),
    ("F2 a short session is not said", "if (e->session_expiry_s < EXPIRY_LEAST_S) {", "if (false) {"),
    ("F2 a broker without retained messages is taken", "if (objection != NULL && (e->no_retain || e->no_qos1)) {", "if (false) {"),
    ("F2 a broker without QoS 1 is taken", "if (objection != NULL && (e->no_retain || e->no_qos1)) {", "if (objection != NULL && e->no_retain) {"),
    ("F3 no beats", "        (!f->priv.beaten || is_over(f->priv.beat_ms, f->o.times.beat, now_ms))) {", "        false) {"),
    ("F3 beats are not retained", 'publish_node(f, "nodes", payload, true)', 'publish_node(f, "nodes", payload, false)'),
    ("F3 silence is not noticed", 'return !is_word(a, "online") || is_over(a->priv.heard_ms, t->silent, now_ms);', 'return !is_word(a, "online");'),
    ("F3 who is heard is silent after 25 days", "is_over(a->priv.heard_ms, t->silent, now_ms);",
     "is_over((int32_t)(a->priv.heard_ms - f->priv.since_ms) > 0 ? a->priv.heard_ms : f->priv.since_ms, t->silent, now_ms);"),
    ("F3 the dead keep their places", "(free_one == NULL && !is_alive(f, n, now_ms))", "(free_one == NULL && n->name[0] == '\\0')"),
    ("F3 a beat of many accounts is not read", "(m->payload.len / 2 + 8)", "(m->payload.len / 4 + 8)"),
    ("F3 beats of others count for the holder", "strcmp(a->priv.node, n->name) != 0)) {", "false)) {"),
    ("F4 claims again without looking", "        is_key_ours(a) && (a->priv.was_active", "        (a->priv.was_active"),
    ("F4 its own key is not known again", "    if (ours) {\n", "    if (false) {\n"),
    ("F4 who lost its connection does not wait for what it sees", "(int32_t)(f->priv.mark_seen - a->priv.look_mark) >= 0", "true"),
    ("F4 claims without the node's connection", "} else if (f->priv.leaving || !f->priv.fresh) {", "} else if (f->priv.leaving) {"),
    ("F5 a standby does not wait", "    a->priv.wait_ms = t->wait + draw(f, t->random)", "    a->priv.wait_ms = 0 * t->wait + 0 * draw(f, t->random)"),
    ("F5 any number of claims", "count_in(f, FLEET_CLAIMING) < FLEET_CLAIMS) {", "true) {"),
    ("F5 a claim is not said", "        if (!stored && is_listed(claims, a->name)) {", "        if (false) {"),
    ("F5 a standby does not wait longer for each account", " + t->each * (uint32_t)count_in(f, FLEET_ACTIVE)", ""),
    ("F5 online does not end the wait", "            if (a->state == FLEET_WAITING) {\n                stand_by(a);\n            }\n", ""),
    ("F5 a beat does not end the wait", '!a->priv.ours && !is_key_ours(a) && !is_word(a, "handover")) {', "false) {"),
    ("F5 timers go on over a gap", "        f->priv.fresh = false;\n        f->priv.looking = true;\n        begin_timers(f, now_ms);\n", ""),
    ("F6 no hints", "(count > 0 || epoch < a->priv.seen_epoch)", "(count > 1000)"),
    ("F6 a hint that finds no room is forgotten", "    a->priv.hint_owed = rc != MQTT_OK;\n", "    a->priv.hint_owed = false;\n"),
    ("F6 a hint soon after another is forgotten", "        a->priv.hint_owed = true;\n", ""),
    ("F6 no union", "    const bool is_new = lines.len > 0 && ledger_merge(&a->priv.known, lines.ptr, lines.len) > 0;",
     "    const bool is_new = lines.len > 0 && a->priv.f == NULL;"),
    ("F6 epochs of others are in no file", "    if (a->priv.epoch_dirty) {", "    if (false) {"),
    ("F6 several writes are on their way", "    return w->packet == 0 && !is_stored", "    return !is_stored"),
    ("F6 a holder does not hear hints of what it notes", "    if (is_served(a)) {\n        h->learn", "    if (is_served(a) && is_new) {\n        h->learn"),
    ("F6 who leaves does not hear hints", "    if (is_served(a)) {\n        h->learn", "    if (a->state == FLEET_ACTIVE) {\n        h->learn"),
    ("F6 a holder does not take the epoch of hints", "    if (behind) {\n", "    if (false) {\n"),
    ("F6 local state before the broker's", "    if (a->priv.has_inbox) {\n        (void)h->keep_slot", "    a->priv.broker_has_inbox = false;\n    if (false) {\n        (void)h->keep_slot"),
    ("F6 the other slot's file stays", '    (void)h->keep_slot(h->ctx, a, 1 - a->priv.slot, "", 0);\n', ""),
    ("F6 local state stays local", "            (void)take_newest(a, slot, data, *len);\n", ""),
    ("F6 begun without its PUBACK", "    if (!is_settled(a) || !is_stored(&a->priv.ledger, a->priv.pending_version)) {", "    if (!is_settled(a)) {"),
    ("F6 begun without its file", "    if (!is_settled(a) || !is_stored(&a->priv.ledger, a->priv.pending_version)) {",
     "    if (!is_stored(&a->priv.ledger, a->priv.pending_version)) {"),
    ("F6 a message is accepted without its file", "        a->priv.slot_waits = rc == AVITO_AGAIN;\n",
     "        rc = rc == AVITO_AGAIN ? (int)AVITO_OK : rc;\n"),
    ("F6 what was refused is said before others know", "    a->priv.unsaid = ledger_put(&a->priv.known, &settled);\n    a->priv.pending_version = ++a->priv.ledger.version;\n",
     "    a->priv.unsaid = ledger_put(&a->priv.known, &settled);\n    ++a->priv.ledger.version;\n"),
    ("F6 what was refused is said if the broker denies it", "    if (!is_settled(a) || !is_stored(&a->priv.ledger, a->priv.pending_version)) {",
     "    if (!is_settled(a) || !(is_stored(&a->priv.ledger, a->priv.pending_version) || (a->priv.pending_error != AVITO_OK && a->priv.ledger.failed))) {"),
    ("F6 a refusal that nobody heard is kept", "    if (a->priv.unsaid) {\n", "    if (false) {\n"),
    ("F6 a refusal that nobody heard is in a file", "    if (!is_settled(a) && !a->priv.unsaid) {", "    if (!is_settled(a)) {"),
    ("F6 what was begun and refused stays begun", "    if (known == NULL || known->state != LEDGER_BEGUN) {", "    if (a->priv.f != NULL) {"),
    ("F6 what another began is called not sent", "    if (e != NULL && ledger_find(&a->priv.known, e->id) == NULL) {", "    if (e != NULL) {"),
    ("F6 a broker that never takes the ledger is waited for", "    return a->priv.ledger.denied && ms >=", "    return false && ms >="),
    ("F6 a broker that takes no ledger for months is waited for", "ms < UINT32_MAX - f->o.times.denied", "ms < INT32_MAX"),
    ("F2 a marker's number stays taken", "    *packet = 0;\n    *answered_flag", "    *answered_flag"),
    ("F6 a message is accepted without its PUBACK", "const bool waits = accepting || !a->priv.broker_has_inbox;", "const bool waits = false;"),
    ("F8 a hand-over waits as others do", "        wait_for(a, 0, now_ms);\n", ""),
    ("F8 a hand-over to another is not respected", "        return is_over(a->priv.status_ms, t->taken_up, now_ms);", "        return true;"),
    ("F8 a status names another heir", "    copy_text(a->priv.to, sizeof a->priv.to, mqtt_property(m, \"to\"));\n",
     "    copy_text(a->priv.to, sizeof a->priv.to, mqtt_property(m, \"to\"));\n    copy_text(a->priv.heir, sizeof a->priv.heir, mqtt_property(m, \"to\"));\n"),
    ("F8 nobody takes up what its heir does not", "        return is_over(a->priv.status_ms, t->taken_up, now_ms);", "        return false;"),
    ("F8 who leaves does not end what is begun", "rests && all_is_stored(a) && a->priv.bye == 0", "all_is_stored(a) && a->priv.bye == 0"),
    ("F8 who leaves does not save", "rests && all_is_stored(a) && a->priv.bye == 0", "rests && a->priv.bye == 0"),
    ("F8 who leaves goes on claiming", "            if (a->state == FLEET_CLAIMING) {\n                drop(a);\n            }\n", ""),
    ("F8 its heir does not serve it", " && (a->priv.can >> i & 1) != 0 &&", " &&"),
    ("F8 the will is not dropped", "        h->part(h->ctx, a);\n", "        h->close(h->ctx, a);\n"),
    ("F8 who leaves does not name another", 'fleet_hand_over(a, n != NULL ? n->name : "");', 'fleet_hand_over(a, "");'),
    ("F8 loads stay unequal", "        fleet_hand_over(give, to->name);\n", ""),
    ("F8 loads differ by one", "load >= n->load + 2 &&", "load >= n->load + 1 &&"),
    ("F8 loads differ for a moment", "} else if (is_over(f->priv.unequal_ms, f->o.times.unequal, now_ms)) {", "} else if (true) {"),
    ("F8 at once after a start", "!is_over(f->priv.begun_ms, f->o.times.unequal, now_ms)) {", "false) {"),
    ("F9 bells are not passed on", "            ring_elsewhere(f, a, user_id);\n", ""),
    ("F9 the holder does not hear bells", "            h->ring(h->ctx, a, long_number_of(m->payload));\n", ""),
    ("F9 bells ring for all accounts", "        if (a->user_id != 0 && a->user_id != user_id) {\n            continue;\n        }\n", ""),
    ("G10 an old will stands", "        a->priv.say_online = true; /* an old will (G10) */\n", ""),
    ("a higher epoch is ignored", "    if (a->state == FLEET_ACTIVE && epoch > a->epoch) {", "    if (false) {"),
]


# What the worlds find by chance, named by its first words.
RANDOM = ["F2 the epoch begins at 1", "F3 silence is not noticed", "F4 claims again without looking", "F6 no union", "F6 no hints"]
SEEDS, AT_ONCE = 400, 50


# What the worlds with gateways find: those of PLANTS by their first words, and bugs elsewhere.
JOINED = ["F6 no union", "F6 what was begun and refused", "F6 begun without its PUBACK", "F6 local state before",
          "F8 who leaves takes commands", "F2 early commands are dropped"]
JOINED_PLANTS = [
    ("what came early to another connection is given to this one", "fleet_seat.c",
     "    while ((k = next_kept(s)) != NULL) {\n        free(k);\n    }\n", "    (void)k;\n"),
    ("each claim subscribes a topic of its own", "fleet.c", '    account_topic(a, "fleet/mark", topics[n]);\n',
     '    snprintf(topics[n], sizeof topics[n], "avito/%s/fleet/mark/%s", a->name, a->priv.key);\n'),
    ("a command is acknowledged on receipt", "job.c", "    judge(a, j, m, now_ms);\n",
     "    judge(a, j, m, now_ms);\n    (void)mqtt_acknowledge(a->priv.g->o.broker, m->packet_id, 0);\n    forget_packet(a, j);\n"),
    ("what was begun is sent again", "job.c",
     "    j->noted = j->looking = true;\n", "    j->noted = true;\n    j->call = CALL_BASELINE;\n    return;\n"),
    ("another's send is not looked for as long as it may come", "job.c", "    const uint32_t ms = a->priv.g->o.look_for_ms;\n",
     "    const uint32_t ms = 1000u;\n"),
    ("a refusal is said before its command is acknowledged", "job.c", " || !refusal_can_be_said(a, j)) {", ") {"),
    ("a hint does not stop what is noted", "job.c",
     "    if (known != NULL) {\n        give_way(j, known, now_ms);\n        return;\n    }\n    if (!j->writing) {", "    (void)known;\n    if (!j->writing) {"),
    ("a message is accepted before its PUBACK", "gateway.c",
     "        a->priv.message = MESSAGE_PUBLISHED;\n", "        (void)avito_inbox_accept(&a->inbox);\n        a->priv.message = MESSAGE_NONE;\n"),
]


def build(name, old, new, test):
    folder = FOLDER % test
    problem = plant(folder, name, old, new)
    if problem:
        return problem
    core, libraries = (JOIN_CORE, ["build/libsimulator.a", "-lhttp_parser", "-lcjson"]) if test == "fleet_join_sim" else (CORE, ["-lcmocka"])
    objects = [f"build/obj/tools/avito/{x}.o" for x in core if f"{x}.c" != name]
    return link(f"{folder}/{name}", *objects, f"build/obj/tests/avito/{test}.o", "build/lib/avito.o", *libraries, "-lbearssl", "-o", f"{folder}/{test}")


def chosen(words):
    """The test, and its plants: what, file, the words and what stands there instead."""
    rows = [(what, "fleet.c", old, new) for what, old, new in PLANTS]
    if words[:1] == ["joined"]:
        return "fleet_join_sim", [row for row in rows if any(word in row[0] for word in JOINED)] + JOINED_PLANTS
    if words[:1] == ["random"]:
        return "fleet_sim", [row for row in rows if any(word in row[0] for word in RANDOM)]
    return "fleet_test", [row for row in rows if not words or any(word in row[0] for word in words)]


def main():
    test, rows = chosen(sys.argv[1:])
    good = True
    for what, name, old, new in rows:
        problem = build(name, old, new, test)
        seeds = AT_ONCE if test == "fleet_test" else SEEDS
        good &= tell(what, noticed(f"{FOLDER % test}/{test}", seeds, AT_ONCE, 300) if problem is None else None, problem)
    return not good


if __name__ == "__main__":
    sys.exit(main())
