/*
 * A broker that sends a copy for each subscription, and a bridge whose filters change, whose
 * connection ends and that is killed at random: each publication is taken once. No two are equal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/handover.h"

#include <string.h>

#include "unit.h"

enum { STEPS = 400, RUNS = 2000, QUEUE = 4096, BROKER = 3 };

static struct subscription both_list[] = {{.filter = "t/+"}, {.filter = "t/#"}};
static const struct subscription_set both = {both_list, 2};

struct model {
    uint64_t random;
    int64_t now_ms;
    /* The broker: what it has queued, as contents. */
    uint64_t queue[QUEUE];
    size_t first, end;
    uint64_t published; /* the content published last */
    bool two;           /* the session has both filters */
    /* The bridge. */
    struct handover handover;
    bool changing;         /* between begin and end */
    bool doubled;          /* what the file "session" says */
    uint64_t journal;      /* the content taken last; 0: none */
    bool copied;           /* its copy came, and was written down */
    unsigned taken[QUEUE]; /* by content */
};

static unsigned chance(struct model *model, unsigned below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (unsigned) (model->random % below);
}

static void publish(struct model *model)
{
    model->published++;
    for (int copies = model->two ? 2 : 1; copies > 0; copies--) {
        model->queue[model->end++] = model->published;
    }
}

static struct message message_of(const uint64_t *content)
{
    return (struct message){.topic = slice_of("t/x"),
                            .payload = slice_make((const char *) content, sizeof(*content)),
                            .qos = 1,
                            .broker = BROKER};
}

/* Another connection, of this process or of the next one. */
static void connect_again(struct model *model, bool killed)
{
    struct message last = message_of(&model->journal);

    if (model->changing && !killed) {
        handover_end(&model->handover, model->now_ms);
    }
    model->now_ms += 1 + chance(model, 3000);
    if (killed) {
        handover_fini(&model->handover);
        handover_init(&model->handover);
        if (model->journal != 0) {
            handover_recall(&model->handover, &last);
        }
        if (model->copied) {
            handover_recall_copy(&model->handover);
        }
    }
    handover_connected(&model->handover, BROKER, model->doubled ? &both : NULL, model->doubled);
    model->changing = false;
}

/* The next of what is queued; now and then the disk is slow, or refuses it. */
static void deliver(struct model *model)
{
    uint64_t content = model->queue[model->first];
    struct message message = message_of(&content);

    model->now_ms += chance(model, 4);
    if (handover_take(&model->handover, &message, message_hash(&message), model->now_ms)) {
        CHECK_INT_EQ(content, model->journal);
        model->copied = true;
        model->first++;
        return;
    }
    bool taken = chance(model, 50) != 0;
    model->now_ms += chance(model, 50) == 0 ? 300 : 0;
    handover_done(&model->handover, taken, model->now_ms);
    if (!taken) {
        connect_again(model, false);
        return;
    }
    model->taken[content]++;
    model->journal = content;
    model->copied = false;
    model->first++;
}

static void step(struct model *model)
{
    switch (chance(model, 12)) {
    case 0:
        if (!model->changing) {
            handover_begin(&model->handover, &both, model->now_ms);
            model->changing = true;
            model->doubled = true; /* written down before SUBSCRIBE */
        }
        break;
    case 1:
        model->two = model->two || model->changing;
        break;
    case 2:
        if (model->changing && model->two) {
            model->two = false;
            handover_end(&model->handover, model->now_ms);
            model->changing = false;
        }
        break;
    case 3:
        if (chance(model, 4) == 0) {
            connect_again(model, chance(model, 2) == 0);
        }
        break;
    case 4:
        if (model->first == model->end) {
            model->now_ms += 3000;
        }
        model->doubled = model->doubled && handover_goes_on(&model->handover, model->now_ms);
        break;
    default:
        publish(model);
        break;
    }
    while (model->first < model->end && chance(model, 6) != 0) {
        deliver(model);
    }
}

static void run(uint64_t seed)
{
    static struct model model;

    memset(&model, 0, sizeof(model));
    model.random = seed * 2654435761u + 1;
    model.now_ms = 5000;
    handover_init(&model.handover);
    handover_connected(&model.handover, BROKER, NULL, false);
    for (int i = 0; i < STEPS; i++) {
        step(&model);
    }
    while (model.first < model.end) {
        deliver(&model);
    }
    for (uint64_t content = 1; content <= model.published; content++) {
        CHECK_INT_EQ(model.taken[content], 1);
    }
    handover_fini(&model.handover);
}

static void test_each_once(void)
{
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        UNIT_CASE("seed %d", (int) seed);
        run(seed);
    }
    UNIT_CASE("%s", "");
}

UNIT_MAIN("handover_model", {"each publication once", test_each_once})
