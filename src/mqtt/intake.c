/* SPDX-License-Identifier: MIT */
#include "mqtt/intake.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "base/text.h"
#include "core/gap.h"
#include "journal/journal_reader.h"
#include "mqtt/handover.h"
#include "mqtt/redelivery.h"

/* A wait for room consists of steps, so that a stop is noticed. */
enum { WAIT_STEP_MS = 100 };

/* The redelivery memory holds QoS 1 and 2 messages; the journal has QoS 0 messages between them. So
 * up to TAIL_FACTOR records are read for each message of the window, and TAIL_MAX in all. */
enum { TAIL_FACTOR = 8, TAIL_MAX = 200000 };

struct intake {
    struct intake_options options;
    struct redelivery *redelivery;
    uint8_t broker;       /* of this connection */
    int64_t last_seen_us; /* struct intake_session */
    bool refusing;        /* this connection was cut: every message is refused */
    bool full;            /* the last append found no room, and /readyz says so */
    int64_t waited_ms;    /* for room, on this connection */
    bool gap_pending;     /* a gap is to be journaled before the next message */
    struct gap gap;
    struct buf gap_payload;
    atomic_bool stopping;
    atomic_bool marks_repeats; /* the broker of this connection has set DUP */
    struct handover handover;  /* MQTT 3.1.1 */
};

uint64_t intake_tail(size_t window)
{
    uint64_t wanted = (uint64_t) window * TAIL_FACTOR;
    return wanted > TAIL_MAX ? TAIL_MAX : wanted;
}

/* Feeds the redelivery memory with one record of the journal. */
static void tail_take(struct intake *intake, const struct message *message)
{
    struct gap gap;
    if (message_is_delivery(message)) {
        redelivery_remember(intake->redelivery, message);
        if (!intake->options.mqtt5) {
            handover_recall(&intake->handover, message);
        }
    } else if (gap_from_message(message, &gap) && slice_is(gap.cause, gap_session_lost)) {
        redelivery_forget(intake->redelivery, message->broker);
    }
}

/* Deliveries without a record: copies that were left out, and messages whose record was deleted. In
 * the order of their numbers. */
struct others {
    struct journal_delivery *list; /* owned */
    size_t count;
    size_t taken;
};

/* Feeds the redelivery memory with the deliveries whose numbers are below `before`. */
static void others_take(struct intake *intake, struct others *others, uint64_t before)
{
    for (; others->taken < others->count && others->list[others->taken].sequence < before;
         others->taken++) {
        const struct journal_delivery *delivery = &others->list[others->taken];
        redelivery_remember_hash(intake->redelivery, delivery->broker, delivery->packet_id,
                                 delivery->hash);
        handover_recall_copy(&intake->handover);
    }
}

/* Fills the redelivery memory from the messages numbered `first` and higher, and from the journal's
 * notes on those before. */
static void memory_read(struct intake *intake, uint64_t first)
{
    struct journal *journal = intake->options.journal;
    struct others others = {0};
    others.count = journal_deliveries(journal, UINT64_MAX, &others.list);
    others_take(intake, &others, first);
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    enum journal_read read = journal_reader_seek(reader, first, &next.error) == OUTCOME_OK
                                 ? JOURNAL_READ_MESSAGE
                                 : JOURNAL_READ_FAILED;
    while (read == JOURNAL_READ_MESSAGE || read == JOURNAL_READ_MISSING) {
        read = journal_reader_next(reader, &next);
        if (read == JOURNAL_READ_MESSAGE) {
            others_take(intake, &others, next.message.sequence);
            tail_take(intake, &next.message);
        }
    }
    others_take(intake, &others, UINT64_MAX);
    assert(others.taken == others.count);
    free(others.list);
    if (read == JOURNAL_READ_FAILED) {
        log_warn("could not read the end of the journal, redeliveries may be stored twice",
                 F_TEXT("reason", next.error.text));
    }
    journal_reader_free(reader);
}

/* Reads the journal's end, and reads it again when the keeper deleted a part of it meanwhile. */
static void memory_rebuild(struct intake *intake, uint8_t broker)
{
    struct journal *journal = intake->options.journal;
    uint64_t first;
    do {
        first = journal_tail(journal, intake_tail(intake->options.window));
        redelivery_free(intake->redelivery);
        intake->redelivery = redelivery_new(intake->options.window);
        redelivery_connected(intake->redelivery, broker, true, 0);
        memory_read(intake, first);
    } while (journal_first(journal) > first);
}

/* After a power loss, messages that were acknowledged but not yet synced are gone; how many is not
 * known. A gap in the table `gap` says since when. */
static void tell_power_loss(struct intake *intake)
{
    int64_t last_us;
    if (journal_lost_power(intake->options.journal, &last_us)) {
        int64_t now_us = clock_wall_us();
        intake->gap = (struct gap){
            .cause = slice_of(gap_power_loss),
            .noticed_at_us = now_us,
            .from_us = last_us,
            .to_us = now_us,
            .messages = -1,
        };
        intake->gap_pending = true; /* stored with the first connection */
    }
}

struct intake *intake_new(const struct intake_options *options, uint8_t broker)
{
    struct intake *intake = memory_alloc(sizeof(*intake));
    assert(options->journal != NULL && options->cut != NULL && options->window > 0);
    intake->options = *options;
    intake->refusing = true; /* until connected */
    handover_init(&intake->handover);
    memory_rebuild(intake, broker);
    tell_power_loss(intake);
    return intake;
}

void intake_free(struct intake *intake)
{
    if (intake == NULL) {
        return;
    }
    redelivery_free(intake->redelivery);
    handover_fini(&intake->handover);
    buf_fini(&intake->gap_payload);
    free(intake);
}

bool intake_marks_repeats(const struct intake *intake)
{
    return atomic_load(&intake->marks_repeats);
}

void intake_stop(struct intake *intake)
{
    atomic_store(&intake->stopping, true);
}

void intake_handover_begin(struct intake *intake, const struct subscription_set *filters)
{
    assert(!intake->options.mqtt5);
    handover_begin(&intake->handover, filters, clock_monotonic_ms());
}

void intake_handover_end(struct intake *intake)
{
    assert(!intake->options.mqtt5);
    handover_end(&intake->handover, clock_monotonic_ms());
}

bool intake_sees_copies(struct intake *intake)
{
    return handover_goes_on(&intake->handover, clock_monotonic_ms());
}

/* Notes a copy that is left out: the journal has no record of it, and the broker may repeat it to
 * the next process. */
static void note_other_copy(struct intake *intake, const struct message *message, uint64_t hash)
{
    struct error error;
    const struct journal_delivery delivery = {
        .sequence = journal_last(intake->options.journal),
        .hash = hash,
        .packet_id = message->packet_id,
        .broker = message->broker,
    };
    if (message->packet_id != 0 &&
        journal_note_delivery(intake->options.journal, &delivery, &error) != OUTCOME_OK) {
        log_warn("could not write a copy down: it may be stored when the broker repeats it",
                 F_TEXT("reason", error.text));
    }
}

static void intake_refuse(struct intake *intake)
{
    intake->refusing = true;
    intake->options.cut(intake->options.context);
}

/* Appends the message. Waits for room: without limit when `patient`, else as long as this
 * connection's `wait_ms` still allows. */
static enum outcome append(struct intake *intake, struct message *message, bool patient)
{
    struct error error = {0};
    enum outcome outcome = journal_append(intake->options.journal, message, &error);
    while (outcome == OUTCOME_RETRY && !atomic_load(&intake->stopping) && !stop_requested() &&
           (patient || intake->waited_ms < intake->options.wait_ms)) {
        log_warn_state("journal", "journal is full, waiting for room",
                       F_TEXT("reason", error.text));
        health_set(HEALTH_JOURNAL, false, error.text);
        intake->full = true;
        int64_t start_ms = clock_monotonic_ms();
        journal_wait_room(intake->options.journal, WAIT_STEP_MS);
        intake->waited_ms += clock_monotonic_ms() - start_ms;
        outcome = journal_append(intake->options.journal, message, &error);
    }
    assert(outcome != OUTCOME_OK || message->sequence > 0);
    if (outcome == OUTCOME_OK && intake->full) {
        health_set(HEALTH_JOURNAL, true, "has room");
        intake->full = false;
    } else if (outcome == OUTCOME_RETRY) {
        log_warn("journal is full, refusing messages", F_TEXT("reason", error.text));
    } else if (outcome != OUTCOME_OK) {
        log_error("could not write to the journal, stopping", F_TEXT("reason", error.text));
        stop_request(1);
    }
    return outcome;
}

/* Appends the pending gap, if any: before the first message that came after it. */
static enum outcome append_gap(struct intake *intake)
{
    if (!intake->gap_pending) {
        return OUTCOME_OK;
    }
    struct message message = gap_to_message(&intake->gap, &intake->gap_payload);
    message.broker = intake->broker;
    enum outcome outcome = append(intake, &message, false);
    assert(message.kind == MESSAGE_GAP);
    intake->gap_pending = outcome != OUTCOME_OK;
    if (outcome == OUTCOME_OK) {
        /* A gap waits and is processed like a message, but was not received. To keep the metrics in
         * balance, it counts as a message that was in the journal at the start. */
        metric_add(METRIC_JOURNAL_MESSAGES_AT_START, 1);
    }
    return outcome;
}

/* Makes a pending gap that lasts from when the session was last seen until now. */
static void note_gap(struct intake *intake, const char *cause)
{
    int64_t now_us = clock_wall_us();
    intake->gap = (struct gap){
        .cause = slice_of(cause),
        .noticed_at_us = now_us,
        .from_us = intake->last_seen_us,
        .to_us = now_us,
        .messages = -1,
    };
    intake->gap_pending = true;
}

void intake_connected(struct intake *intake, const struct intake_session *session)
{
    assert(session->broker <= MESSAGE_BROKER_MAX && !(session->lost && session->present));
    intake->refusing = false;
    intake->waited_ms = 0;
    handover_connected(&intake->handover, session->broker,
                       session->present ? session->changing : NULL, session->left_between);
    intake->broker = session->broker;
    intake->last_seen_us = session->last_seen_us;
    redelivery_connected(intake->redelivery, session->broker, session->present, clock_wall_us());
    if (session->present && session->marks_repeats) {
        redelivery_note_marks(intake->redelivery);
    }
    atomic_store(&intake->marks_repeats, redelivery_marks(intake->redelivery));
    if (session->lost || session->perhaps_lost) {
        /* The gap that is pending since the start. When the journal has no room for it, the new gap
         * covers its time, too. */
        (void) append_gap(intake);
        note_gap(intake, session->lost ? gap_session_lost : gap_session_perhaps_lost);
    }
    if (append_gap(intake) != OUTCOME_OK) {
        intake_refuse(intake);
    }
}

static bool is_repeat(struct intake *intake, const struct message *message)
{
    enum redelivery_verdict verdict = redelivery_judge(intake->redelivery, message);
    if (message->duplicate) {
        atomic_store(&intake->marks_repeats, redelivery_marks(intake->redelivery));
    }
    if (verdict == REDELIVERY_UNMARKED) {
        metric_add(METRIC_MESSAGES_UNMARKED, 1);
        log_warn("broker repeats messages without marking them (DUP): they are recognized by "
                 "packet id and content, and counted in messages_unmarked_total");
    }
    return verdict != REDELIVERY_NEW;
}

/* Remembers a delivery, so that repeats are recognized. */
static void remember(struct intake *intake, const struct message *message, uint64_t hash)
{
    if (message->packet_id != 0) {
        assert(message->qos > 0 && message->broker == intake->broker);
        redelivery_remember_hash(intake->redelivery, message->broker, message->packet_id, hash);
    }
}

/* The least number of bytes that the PUBLISH packet had (MQTT 3.1.1, section 3.3): topic with its
 * length, packet id, payload. */
static size_t packet_bytes(const struct message *message)
{
    return 2 + message->topic.length + 2 + message->payload.length;
}

static void cut_if_too_large(const struct intake *intake, struct message *message)
{
    size_t bytes = packet_bytes(message);
    if (intake->options.max_packet_bytes > 0 && bytes > (size_t) intake->options.max_packet_bytes) {
        struct buf topic = {0};
        text_append_printable(&topic, message->topic, 200);
        log_warn("a message is larger than broker.max_packet: only its head is kept, as a dead "
                 "letter",
                 F_TEXT("topic", buf_string(&topic)), F_INT("bytes", bytes),
                 F_INT("max_bytes", intake->options.max_packet_bytes));
        buf_fini(&topic);
        message_cut(message);
    }
}

enum intake_verdict intake_take(struct intake *intake, struct message *message)
{
    if (intake->refusing) {
        intake_refuse(intake); /* the connection may be cut already; a second cut does no harm */
        return INTAKE_REFUSED;
    }
    cut_if_too_large(intake, message);
    message->broker = intake->broker;
    bool repeat = is_repeat(intake, message);
    uint64_t hash = message_hash(message);
    bool copy = !intake->options.mqtt5 && !repeat &&
                handover_take(&intake->handover, message, hash, clock_monotonic_ms());
    if (copy) {
        remember(intake, message, hash);
        note_other_copy(intake, message, hash);
    }
    if (copy || repeat) {
        metric_add(METRIC_MESSAGES_RECEIVED, 1);
        metric_add(METRIC_MESSAGES_DUPLICATE, 1);
        return INTAKE_DUPLICATE;
    }
    if (redelivery_went_back(intake->redelivery) && !intake->gap_pending) {
        log_warn("broker came back with an older session (its packet ids went back): what it had "
                 "queued since it saved that session is lost");
        note_gap(intake, gap_session_perhaps_lost);
    }
    bool never_refuse = message->qos == 2 && !intake->options.mqtt5;
    bool taken =
        append_gap(intake) == OUTCOME_OK && append(intake, message, never_refuse) == OUTCOME_OK;
    if (!intake->options.mqtt5) {
        handover_done(&intake->handover, taken, clock_monotonic_ms());
    }
    if (!taken) {
        if (never_refuse) {
            log_error("a QoS 2 message that the broker counts as delivered could not be journaled");
        }
        intake_refuse(intake);
        return INTAKE_REFUSED;
    }
    assert(message->sequence > 0); /* only a message in the journal is acknowledged */
    remember(intake, message, hash);
    metric_add(METRIC_MESSAGES_RECEIVED, 1);
    metric_add(METRIC_MESSAGES_JOURNALED, 1);
    return INTAKE_JOURNALED;
}
