/* fleet_sim.c - the fleet's logic in simulated worlds, from seeds: nodes that are killed and stopped, lines that are cut, a
 * broker that dies, and, in every second world, forgets. In every fifth some publications find no room at first.
 *
 *     build/fleet_sim FIRST COUNT [once]     each failing seed is named; once: only the first
 *
 * What must hold: after a while without trouble each account has one holder; what was reported as
 * durable is in the broker's ledger in the end, as long as a node that knew it lives; no node acts
 * under an epoch once a broker that forgets nothing has seen a higher one; and no account is
 * without a holder for long.
 * Rooms: none. */
#include "fleet_world.h"

#define TROUBLE_MS 300000u
#define CALM_MS    90000u
#define NOTES      64

static unsigned failures;
static bool forgets;
static uint64_t seed;

/* What was reported as durable: for which account, and under which id. */
static struct {
    char id[16];
    size_t account;
} durable[NOTES];
static size_t durable_count, noted;
static unsigned long all_durable, all_claims;

/* A note that is on its way. */
static struct {
    bool open;
    int node;
    char id[16], line[200];
} writing[WORLD_ACCOUNTS];

static uint32_t draw(uint32_t below)
{
    return world_draw() % below;
}

static void fail(const char *what, size_t account)
{
    failures++;
    printf("# seed %llu: shop%u: %s, %u ms\n", (unsigned long long)seed, (unsigned)account, what,
           (unsigned)world.now_ms);
}

/* A holder notes that it begins something, as a gateway does before each send. */
static void write_something(size_t account)
{
    const int holder = world_holder(account);
    char id[16];

    if (writing[account].open) {
        const int node = writing[account].node;
        struct world_account *own = &world.nodes[node].accounts[account];
        const char *line = writing[account].line;

        if (!own->active) { /* it lost the account: nothing was reported */
            writing[account].open = false;
        } else if (fleet_append(&own->core, line, strlen(line), false) == AVITO_OK) {
            writing[account].open = false;
            if (durable_count < NOTES) {
                strcpy(durable[durable_count].id, writing[account].id);
                durable[durable_count++].account = account;
            }
        }
        return;
    }
    if (holder >= 0 && noted < NOTES && draw(40) == 0 && !world.nodes[holder].stopped) {
        writing[account].open = true;
        writing[account].node = holder;
        snprintf(id, sizeof id, "c%u", (unsigned)noted++ % 1000);
        strcpy(writing[account].id, id);
        snprintf(
            writing[account].line, sizeof writing[account].line,
            "{\"id\":\"%s\",\"state\":\"begun\",\"act\":\"send\",\"target\":\"chat\",\"begun\":%u,"
            "\"hash\":\"1\",\"text\":\"t\",\"baseline\":\"\",\"created\":0}\n",
            id, (unsigned)(world.now_ms / 1000));
        (void)fleet_append(&world.nodes[holder].accounts[account].core, writing[account].line,
                           strlen(writing[account].line), false);
    }
}

static void kill_node(size_t n)
{
    for (size_t a = 0; a < world.accounts; a++) {
        writing[a].open = writing[a].open && writing[a].node != (int)n;
    }
    world_kill(n);
}

/* kill -9 of the broker: what it had not saved is gone. */
static void forget_something(void)
{
    static const char *const kinds[] = {"fleet/ledger", "fleet/inbox", "status"};

    for (size_t a = 0; a < world.accounts; a++) {
        for (size_t k = 0; k < 3; k++) {
            char topic[FLEET_TOPIC_MAX];

            snprintf(topic, sizeof topic, "avito/shop%u/%s", (unsigned)a, kinds[k]);
            if (draw(2) == 0) {
                world_forgets(topic);
            }
        }
        world.session[a] = world.session[a] && draw(2) == 0;
    }
}

static size_t running(void)
{
    size_t count = 0;

    for (size_t n = 0; n < world.count; n++) {
        count += world.nodes[n].runs;
    }
    return count;
}

static void torment(void)
{
    const size_t n = draw((uint32_t)world.count), a = draw((uint32_t)world.accounts);
    struct world_node *node = &world.nodes[n];

    switch (draw(7)) {
        case 0: /* the files stay, so it still knows when it comes back; a broker that forgets needs a witness */
            if (node->runs && (!forgets || running() > 1)) {
                kill_node(n);
            }
            break;
        case 1:
            if (!node->runs) {
                world_start(n);
            }
            break;
        case 2:
            node->stopped = node->runs && !node->stopped;
            break;
        case 3:
            if (node->stopped) {
                world_keep_alive_over(n);
            }
            break;
        case 4: /* a line is cut */
            if (node->accounts[a].line.open) {
                world_cut(&node->accounts[a].line);
            }
            break;
        case 5:
            node->line.cut = true;
            break;
        default:
            if (world.up && draw(3) == 0) {
                world_broker_dies();
                if (forgets) {
                    forget_something();
                }
            } else {
                world.up = true;
            }
            break;
    }
}

static void calm_down(void)
{
    world.up = true;
    for (size_t n = 0; n < world.count; n++) {
        if (!world.nodes[n].runs) {
            world_start(n);
        }
        if (world.nodes[n].stopped) {
            world_keep_alive_over(n);
            world.nodes[n].stopped = false;
        }
    }
}

/* Each claim is above all earlier ones, unless the broker forgot and the nodes that knew are
 * dead. */
static uint32_t highest[WORLD_ACCOUNTS], begun[WORLD_NODES][WORLD_ACCOUNTS];

static void watch_claims(size_t account)
{
    for (size_t n = 0; n < world.count; n++) {
        const struct world_account *own = &world.nodes[n].accounts[account];

        if (!own->active || own->begun_ms == begun[n][account]) {
            continue;
        }
        begun[n][account] = own->begun_ms;
        if (own->core.epoch <= highest[account] && !forgets) {
            fail("an epoch is not above those before it", account);
        }
        highest[account] = own->core.epoch > highest[account] ? own->core.epoch : highest[account];
    }
}

/* A holder must not act for more than a second after it learned that another holder with a higher
 * epoch is online at the same broker. */
static void watch_epochs(size_t account)
{
    uint32_t above = 0;

    for (size_t n = 0; n < world.count; n++) {
        const struct world_account *own = &world.nodes[n].accounts[account];

        if (own->active && !own->line.cut && own->core.epoch > above) {
            above = own->core.epoch;
        }
    }
    for (size_t n = 0; n < world.count; n++) {
        const struct world_account *own = &world.nodes[n].accounts[account];

        if (own->active && !own->line.cut && own->core.epoch < above) {
            fail("two holders at one broker", account);
        }
    }
}

static bool is_in_ledger(size_t account, const char *id)
{
    char topic[FLEET_TOPIC_MAX], word[40];
    const struct world_event *e;
    char *text;
    bool found;

    snprintf(topic, sizeof topic, "avito/shop%u/fleet/ledger", (unsigned)account);
    snprintf(word, sizeof word, "\"id\":\"%.15s\"", id);
    e = world_stored(topic);
    text = calloc(1, e->len + 1);
    memcpy(text, e->payload != NULL ? e->payload : "", e->len);
    found = strstr(text, word) != NULL;
    free(text);
    return found;
}

static void judge(void)
{
    for (size_t a = 0; a < world.accounts; a++) {
        if (world_holder(a) < 0) {
            fail(world_holder(a) == -1 ? "nobody serves it" : "two serve it", a);
        }
    }
    for (size_t i = 0; i < durable_count; i++) {
        if (!is_in_ledger(durable[i].account, durable[i].id)) {
            fail("a note that was durable is gone", durable[i].account);
        }
    }
}

static void run(void)
{
    forgets = seed % 2 == 0;
    durable_count = noted = 0;
    memset(writing, 0, sizeof writing);
    memset(highest, 0, sizeof highest);
    memset(begun, 0, sizeof begun);
    world_begin(2 + seed % 3, 1 + seed % 4, seed);
    world.crowded = seed % 5 == 0 ? 30 : 0;
    while (world.now_ms < TROUBLE_MS) {
        if (draw(30) == 0) {
            torment();
        }
        for (size_t a = 0; a < world.accounts; a++) {
            write_something(a);
            watch_claims(a);
            watch_epochs(a);
        }
        world_run(100);
        world.log[0] = '\0';
    }
    calm_down();
    for (uint32_t end = world.now_ms + CALM_MS; world.now_ms < end;) {
        for (size_t a = 0; a < world.accounts; a++) {
            write_something(a);
            watch_claims(a);
            watch_epochs(a);
        }
        world_run(100);
    }
    judge();
    all_durable += durable_count;
    all_claims += world.claims;
    world_end();
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;

    for (seed = first; seed < first + count && (argc <= 3 || failures == 0); seed++) {
        run();
    }
    printf("# %lu durable notes, %lu claims\n", all_durable, all_claims);
    printf("%s - the fleet in %llu worlds from seed %llu on\n", failures == 0 ? "ok" : "not ok",
           (unsigned long long)count, (unsigned long long)first);
    return failures != 0;
}
