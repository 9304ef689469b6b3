/*
 * A ring of messages in the order of their first arrival; and for each packet id a chain with the
 * newest message of each broker, the one delivered last in front. A broker may give an id that it
 * still has under way to another message: then the chain has both.
 *
 *   ring       … 41 42 43 44 45        number: messages that came before; slot = number % window
 *   newest[id] ─▶ 45 ─other─▶ 42 ─▶ 0  a link is number + 1; 0 = none; stale once overwritten
 *
 * Invariants
 *   1. a message with a number below `next - window` is overwritten;
 *   2. `connection` and `packet_id` are those of a message's last delivery: its first or a repeat;
 *   3. a forgotten message has packet id 0, which MQTT does not allow;
 *   4. all messages of a chain have the chain's packet id.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/redelivery.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { PACKET_IDS = 65536 };

/* Repeats without DUP come in one burst: the longest pause before and within the burst. */
#define BURST_PAUSE_US INT64_C(5000000)

/* A broker that uses an id again after fewer messages than that assigns the lowest free id. */
enum { SOON = 256 };

/* A broker numbers in order when so many ids in a row were each the next after the one before. */
enum { IN_ORDER = 8 };

struct delivery {
    uint64_t number;
    uint64_t of_broker; /* messages that came from its broker before */
    uint64_t hash;      /* of topic and payload */
    uint64_t other;     /* link to the next message in its packet id's chain */
    uint32_t connection;
    uint16_t packet_id;
    uint8_t broker;
};

/* How a broker assigns packet ids. */
struct numbering {
    uint16_t highest_id; /* ahead of all other ids so far (id_is_ahead()); 0 = none */
    uint16_t before_id;  /* highest_id when this connection was made */
    uint16_t last_id;    /* of the newest message */
    uint64_t deliveries; /* number of messages so far, without repeats */
    uint32_t in_order;   /* messages in a row, each with the id that follows the one before */
    bool reused_soon;    /* an id came again within SOON messages, on any connection */
    bool sets_dup;       /* the broker has set DUP in this session */
};

struct redelivery {
    struct delivery *ring; /* owned; `window` of them */
    size_t window;
    uint64_t next; /* number of the next new message */
    uint64_t newest[PACKET_IDS];

    uint32_t connection;                                /* counts connections from 1 */
    struct numbering numbering[MESSAGE_BROKER_MAX + 1]; /* by broker */
    uint8_t broker;                                     /* of this connection */
    bool session_present;
    bool saw_new;        /* the broker has sent a new message on this connection */
    bool numbered_anew;  /* the ids of this connection were 1, 2, 3 … so far */
    bool reuses_ids;     /* an id came twice on one connection: lowest free ids, so rule 3 is off */
    bool went_back;      /* the message judged last shows an older session */
    int64_t before_us;   /* when the connection was made, or when its last message came */
    uint32_t deliveries; /* QoS 1 and 2 on this connection */
    uint64_t behind;     /* number of the last message repeated on this connection, + 1 */
    uint64_t first;      /* number of the first new message of this connection */
};

struct redelivery *redelivery_new(size_t window)
{
    struct redelivery *redelivery = memory_alloc(sizeof(*redelivery));
    assert(window <= UINT32_MAX);
    redelivery->window = window > 0 ? window : 1;
    redelivery->ring = memory_alloc(redelivery->window * sizeof(struct delivery));
    redelivery->connection = 1;
    redelivery->session_present = true;
    return redelivery;
}

void redelivery_free(struct redelivery *redelivery)
{
    if (redelivery == NULL) {
        return;
    }
    free(redelivery->ring);
    free(redelivery);
}

static uint64_t oldest_number(const struct redelivery *redelivery)
{
    return redelivery->next > redelivery->window ? redelivery->next - redelivery->window : 0;
}

static struct delivery *delivery_at(struct redelivery *redelivery, uint64_t number)
{
    return &redelivery->ring[number % redelivery->window];
}

/* The delivery that a link leads to; NULL when the ring has overwritten it. */
static struct delivery *delivery_behind(struct redelivery *redelivery, uint64_t link)
{
    return link == 0 || link - 1 < oldest_number(redelivery) ? NULL
                                                             : delivery_at(redelivery, link - 1);
}

/* The newest delivery with this packet id, of any broker. */
static struct delivery *newest_delivery(struct redelivery *redelivery, uint16_t packet_id)
{
    return delivery_behind(redelivery, redelivery->newest[packet_id]);
}

/* The newest delivery with this packet id, of this broker. */
static struct delivery *newest_of_broker(struct redelivery *redelivery, uint16_t packet_id,
                                         uint8_t broker)
{
    struct delivery *delivery = newest_delivery(redelivery, packet_id);
    while (delivery != NULL && delivery->broker != broker) {
        delivery = delivery_behind(redelivery, delivery->other);
    }
    return delivery;
}

/* Takes the delivery out of its packet id's chain. */
static void unchain(struct redelivery *redelivery, const struct delivery *delivery)
{
    uint64_t *link = &redelivery->newest[delivery->packet_id];
    struct delivery *each = delivery_behind(redelivery, *link);
    while (each != NULL && each != delivery) {
        link = &each->other;
        each = delivery_behind(redelivery, *link);
    }
    assert(each == NULL || each == delivery);
    *link = each == NULL ? 0 : each->other;
}

/* Has a broker that does not use ids again soon repeated this message on this connection? If so,
 * and its id now comes with another message, the broker has both under way. */
static bool is_still_open(const struct redelivery *redelivery, const struct delivery *former)
{
    return former->connection == redelivery->connection && former->number < redelivery->first &&
           redelivery->next - former->number > SOON && !redelivery->reuses_ids &&
           !redelivery->numbering[former->broker].reused_soon;
}

/* Takes this broker's messages with the packet id out of its chain, except open ones. */
static void clear_chain(struct redelivery *redelivery, uint16_t packet_id, uint8_t broker)
{
    struct delivery *each = newest_delivery(redelivery, packet_id);
    while (each != NULL) {
        struct delivery *next = delivery_behind(redelivery, each->other);
        if (each->broker == broker && !is_still_open(redelivery, each)) {
            unchain(redelivery, each);
        }
        each = next;
    }
}

/* Puts the delivery in front of this packet id's chain. */
static void chain(struct redelivery *redelivery, struct delivery *delivery, uint16_t packet_id)
{
    assert(packet_id != 0 && delivery->number < redelivery->next);
    delivery->packet_id = packet_id;
    delivery->other = redelivery->newest[packet_id];
    redelivery->newest[packet_id] = delivery->number + 1;
}

/* Was `packet_id` given after `of`? Ids go from 1 to 65,535 and start again, so the 32,767 ids
 * before `of` count as older. */
static bool id_is_ahead(uint16_t packet_id, uint16_t of)
{
    unsigned behind = (unsigned) (of + (PACKET_IDS - 1) - packet_id) % (PACKET_IDS - 1);
    return of == 0 || behind >= PACKET_IDS / 2;
}

static struct numbering *numbering_of(struct redelivery *redelivery, uint8_t broker)
{
    assert(broker <= MESSAGE_BROKER_MAX);
    return &redelivery->numbering[broker == 0 ? redelivery->broker : broker];
}

/* Is `packet_id` the next id after `behind`? 1 follows 65,535. */
static bool is_next_id(uint16_t packet_id, uint16_t behind)
{
    return packet_id == (behind == PACKET_IDS - 1 ? 1 : behind + 1);
}

void redelivery_remember_hash(struct redelivery *redelivery, uint8_t broker, uint16_t packet_id,
                              uint64_t hash)
{
    assert(packet_id != 0);
    struct numbering *numbering = numbering_of(redelivery, broker);
    uint8_t from = broker == 0 ? redelivery->broker : broker;
    const struct delivery *former = newest_of_broker(redelivery, packet_id, from);
    uint64_t number = redelivery->next++;
    numbering->reused_soon =
        numbering->reused_soon || (former != NULL && number - former->number < SOON);
    numbering->in_order = is_next_id(packet_id, numbering->last_id) ? numbering->in_order + 1 : 0;
    numbering->last_id = packet_id;
    struct delivery *delivery = delivery_at(redelivery, number);
    *delivery = (struct delivery){
        .number = number,
        .of_broker = numbering->deliveries++,
        .hash = hash,
        .connection = redelivery->connection,
        .broker = from,
    };
    clear_chain(redelivery, packet_id, from);
    chain(redelivery, delivery, packet_id);
    if (id_is_ahead(packet_id, numbering->highest_id)) {
        numbering->highest_id = packet_id;
    }
}

void redelivery_forget(struct redelivery *redelivery, uint8_t broker)
{
    uint8_t from = broker == 0 ? redelivery->broker : broker;
    struct numbering *numbering = numbering_of(redelivery, broker);
    numbering->highest_id = numbering->before_id = numbering->last_id = 0;
    numbering->in_order = 0;
    numbering->sets_dup = false; /* another broker may answer at the same URL now */
    for (uint64_t number = oldest_number(redelivery); number < redelivery->next; number++) {
        struct delivery *delivery = delivery_at(redelivery, number);
        if (delivery->broker == from) {
            unchain(redelivery, delivery);
            delivery->packet_id = 0;
        }
    }
}

void redelivery_connected(struct redelivery *redelivery, uint8_t broker, bool session_present,
                          int64_t now_us)
{
    assert(broker <= MESSAGE_BROKER_MAX);
    struct numbering *numbering = &redelivery->numbering[broker];
    redelivery->connection++;
    redelivery->before_us = now_us;
    redelivery->broker = broker;
    redelivery->session_present = session_present;
    redelivery->saw_new = false;
    redelivery->numbered_anew = true;
    redelivery->went_back = false;
    redelivery->deliveries = 0;
    redelivery->behind = 0;
    redelivery->first = redelivery->next;
    numbering->before_id = numbering->highest_id;
    if (!session_present) {
        redelivery_forget(redelivery, broker);
    }
}

void redelivery_note_marks(struct redelivery *redelivery)
{
    assert(redelivery->session_present);
    redelivery->numbering[redelivery->broker].sets_dup = true;
}

bool redelivery_marks(const struct redelivery *redelivery)
{
    return redelivery->numbering[redelivery->broker].sets_dup;
}

void redelivery_remember(struct redelivery *redelivery, const struct message *message)
{
    if (message->qos > 0 && message->packet_id != 0) {
        struct numbering *numbering = numbering_of(redelivery, message->broker);
        numbering->sets_dup = numbering->sets_dup || message->duplicate;
        redelivery_remember_hash(redelivery, message->broker, message->packet_id,
                                 message_hash(message));
    }
}

/* Has the broker sent more than half a round of ids since this delivery? If so, the same id belongs
 * to another message. */
static bool has_gone_round(const struct redelivery *redelivery, const struct delivery *delivery)
{
    uint64_t deliveries = redelivery->numbering[delivery->broker].deliveries;
    assert(deliveries > delivery->of_broker);
    return deliveries - delivery->of_broker > PACKET_IDS / 2;
}

/* Rule 2 of the header. */
static struct delivery *find_by_id(struct redelivery *redelivery, uint16_t packet_id, uint64_t hash)
{
    struct delivery *newest = newest_delivery(redelivery, packet_id);
    for (struct delivery *each = newest; each != NULL;
         each = delivery_behind(redelivery, each->other)) {
        if (each->connection != redelivery->connection && each->hash == hash &&
            (each == newest || each->broker == redelivery->broker) &&
            !has_gone_round(redelivery, each)) {
            return each;
        }
    }
    return NULL;
}

/* Rule 3 of the header. */
static struct delivery *find_by_content(struct redelivery *redelivery, uint64_t hash)
{
    uint64_t number = oldest_number(redelivery);
    if (number < redelivery->behind) {
        number = redelivery->behind;
    }
    for (; number < redelivery->next; number++) {
        struct delivery *delivery = delivery_at(redelivery, number);
        if (delivery->connection < redelivery->connection && delivery->packet_id != 0 &&
            delivery->hash == hash) {
            return delivery;
        }
    }
    return NULL;
}

/* Rule 1 of the header. */
static bool is_repeat_here(const struct redelivery *redelivery, const struct delivery *newest,
                           const struct message *message)
{
    return message->qos == 1 && message->duplicate && newest != NULL &&
           newest->connection == redelivery->connection && newest->hash == message_hash(message);
}

/* Notes how the broker of this connection assigns packet ids. */
static void note_numbering(struct redelivery *redelivery, const struct delivery *newest,
                           uint16_t packet_id)
{
    if (newest != NULL && newest->number >= redelivery->first &&
        redelivery->next - newest->number < PACKET_IDS / 2) {
        /* The same id twice within half a round: the ids have not simply started again. */
        redelivery->reuses_ids = true;
    }
    assert(newest == NULL || newest->number < redelivery->next);
    redelivery->deliveries++;
    redelivery->numbered_anew = redelivery->numbered_anew && packet_id == redelivery->deliveries;
}

/* Can this message be a repeat from an earlier connection, judged by all but its packet id and
 * content? */
static bool is_possible(const struct redelivery *redelivery, const struct message *message)
{
    if (!redelivery->session_present) {
        return false;
    }
    const struct numbering *numbering = &redelivery->numbering[redelivery->broker];
    if (message->qos == 1) {
        bool unmarked = !redelivery->saw_new && !numbering->sets_dup && !redelivery->reuses_ids &&
                        !numbering->reused_soon && !redelivery->numbered_anew &&
                        message->received_at_us - redelivery->before_us <= BURST_PAUSE_US;
        return message->duplicate || unmarked;
    }
    bool is_older =
        !redelivery->reuses_ids && !id_is_ahead(message->packet_id, numbering->before_id);
    return !redelivery->saw_new || is_older;
}

/* Does a new message with this id show that the broker came back with an older session? The id is
 * compared with the last one of those in order, not with the highest: Mosquitto lets single
 * messages overtake its queue, with ids that are thousands ahead. */
static bool is_older_session(const struct redelivery *redelivery, uint16_t packet_id)
{
    const struct numbering *numbering = &redelivery->numbering[redelivery->broker];
    assert(numbering->in_order == 0 || numbering->last_id != 0);
    return redelivery->session_present && numbering->before_id != 0 &&
           numbering->in_order >= IN_ORDER && !redelivery->numbered_anew &&
           !redelivery->reuses_ids && !numbering->reused_soon &&
           !id_is_ahead(packet_id, numbering->last_id);
}

/* Notes a repeat of `first`, which came with this packet id. */
static void note_repeat(struct redelivery *redelivery, struct delivery *first, uint16_t packet_id)
{
    assert(first->connection < redelivery->connection);
    if (first->number + 1 > redelivery->behind) {
        redelivery->behind = first->number + 1;
    }
    first->connection = redelivery->connection;
    unchain(redelivery, first);
    if (first->packet_id != packet_id) {
        clear_chain(redelivery, packet_id, first->broker);
    }
    chain(redelivery, first, packet_id); /* rule 3: the repeat may have another id */
}

enum redelivery_verdict redelivery_judge(struct redelivery *redelivery,
                                         const struct message *message)
{
    if (message->qos == 0 || message->packet_id == 0) {
        return REDELIVERY_NEW;
    }
    const struct delivery *newest = newest_delivery(redelivery, message->packet_id);
    struct numbering *numbering = &redelivery->numbering[redelivery->broker];
    numbering->sets_dup = numbering->sets_dup || message->duplicate;
    redelivery->went_back = false;
    if (is_repeat_here(redelivery, newest, message)) {
        return REDELIVERY_REPEAT;
    }
    note_numbering(redelivery, newest, message->packet_id);
    bool possible = is_possible(redelivery, message);
    redelivery->before_us = message->received_at_us;
    struct delivery *first = NULL;
    if (possible) {
        uint64_t hash = message_hash(message);
        first = find_by_id(redelivery, message->packet_id, hash);
        if (first == NULL && message->duplicate && redelivery->numbered_anew &&
            !redelivery->reuses_ids) {
            first = find_by_content(redelivery, hash);
        }
    }
    if (first == NULL) {
        /* A message with DUP is new to the bridge but not to the broker, so repeats may still
         * follow. */
        bool is_first = !redelivery->saw_new && (message->qos == 2 || !message->duplicate);
        redelivery->went_back = is_first && is_older_session(redelivery, message->packet_id);
        redelivery->saw_new = redelivery->saw_new || is_first;
        return REDELIVERY_NEW;
    }
    note_repeat(redelivery, first, message->packet_id);
    return message->qos == 1 && !message->duplicate ? REDELIVERY_UNMARKED : REDELIVERY_REPEAT;
}

bool redelivery_went_back(const struct redelivery *redelivery)
{
    return redelivery->went_back;
}

/* delivery_behind() for a const struct. */
static const struct delivery *delivery_seen(const struct redelivery *redelivery, uint64_t link)
{
    return link == 0 || link - 1 < oldest_number(redelivery)
               ? NULL
               : &redelivery->ring[(link - 1) % redelivery->window];
}

static void chain_check(const struct redelivery *redelivery, uint16_t packet_id)
{
    size_t count = 0;
    const struct delivery *each = delivery_seen(redelivery, redelivery->newest[packet_id]);
    for (; each != NULL; each = delivery_seen(redelivery, each->other)) {
        assert(each->packet_id == packet_id && each->broker <= MESSAGE_BROKER_MAX);
        count++;
        assert(count <= redelivery->window);
        assert(each->connection <= redelivery->connection);
    }
}

void redelivery_check(const struct redelivery *redelivery)
{
    assert(redelivery->broker <= MESSAGE_BROKER_MAX);
    for (uint64_t number = oldest_number(redelivery); number < redelivery->next; number++) {
        const struct delivery *delivery = delivery_seen(redelivery, number + 1);
        assert(delivery->number == number);
        chain_check(redelivery, delivery->packet_id);
    }
}
