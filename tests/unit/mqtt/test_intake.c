/* SPDX-License-Identifier: MIT */
#include "mqtt/intake.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "core/gap.h"
#include "core/property.h"
#include "journal/journal_reader.h"
#include "unit.h"

static int cuts;

static void count_cut(void *context)
{
    (void) context;
    cuts++;
}

struct fixture {
    char directory[300];
    struct journal *journal;
    struct intake *intake;
    bool mqtt5;
    int64_t wait_ms;
    int64_t max_packet_bytes;
};

static void make_intake(struct fixture *fixture, int64_t wait_ms)
{
    fixture->intake =
        intake_new(&(struct intake_options){.journal = fixture->journal,
                                            .window = 100,
                                            .max_packet_bytes = fixture->max_packet_bytes,
                                            .wait_ms = wait_ms,
                                            .mqtt5 = fixture->mqtt5,
                                            .cut = count_cut},
                   0);
}

static void fixture_open(struct fixture *fixture, int64_t max_bytes)
{
    struct error error;
    if (fixture->directory[0] == '\0') {
        static int number;
        snprintf(fixture->directory, sizeof(fixture->directory), "%s/%d", unit_scratch(), ++number);
    }
    struct journal_options options = {
        .directory = fixture->directory, .max_bytes = max_bytes, .sync_ms = JOURNAL_SYNC_NEVER};
    CHECK_INT_EQ(journal_open(&fixture->journal, &options, &error), OUTCOME_OK);
    make_intake(fixture, fixture->wait_ms);
    cuts = 0;
    metrics_reset();
}

static void fixture_close(struct fixture *fixture)
{
    intake_free(fixture->intake);
    journal_close(fixture->journal);
}

static void connect_session(struct fixture *fixture, bool present, bool lost)
{
    intake_connected(fixture->intake,
                     &(struct intake_session){
                         .broker = 1, .present = present, .lost = lost, .last_seen_us = 1234567});
}

static enum intake_verdict take(struct fixture *fixture, int qos, uint16_t id, bool duplicate,
                                struct slice payload)
{
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .qos = (uint8_t) qos,
                              .packet_id = id,
                              .duplicate = duplicate,
                              .received_at_us = clock_wall_us(),
                              .topic = slice_of("a/b"),
                              .payload = payload};
    return intake_take(fixture->intake, &message);
}

static const char large_bytes[100000];
static const struct slice large = {large_bytes, sizeof(large_bytes)};

static void test_counts(void)
{
    struct fixture fixture = {.mqtt5 = true};
    fixture_open(&fixture, 256 << 20);
    CHECK_INT_EQ(take(&fixture, 1, 1, false, slice_of("early")),
                 INTAKE_REFUSED); /* not connected */
    CHECK_INT_EQ(cuts, 1);
    connect_session(&fixture, false, false);
    CHECK_INT_EQ(take(&fixture, 0, 0, false, slice_of("zero")), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 1, false, slice_of("one")), INTAKE_JOURNALED);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, true, slice_of("one")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 2, true, slice_of("two")), INTAKE_JOURNALED);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED), 4);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_DUPLICATE), 1);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_JOURNALED), 3);
    CHECK_INT_EQ(journal_last(fixture.journal), 3);
    fixture_close(&fixture);

    /* Another process: the memory comes from the journal. */
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, true, slice_of("one")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 2, true, slice_of("two")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 3, true, slice_of("three")), INTAKE_JOURNALED);
    fixture_close(&fixture);
}

/* A broker of MQTT 3.1.1 knows no limit: of what is larger than ours the head is journaled, and its
 * repeats are known like those of a whole message. */
static void test_too_large(void)
{
    struct fixture fixture = {.max_packet_bytes = 9007}; /* topic 3, fixed fields 4, payload 9000 */
    const struct slice fits = {large_bytes, 9000};
    const struct slice larger = {large_bytes, 9001};
    fixture_open(&fixture, 1 << 20);
    connect_session(&fixture, false, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, false, fits), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 2, false, larger), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 3, false, large), INTAKE_JOURNALED);
    CHECK_INT_EQ(cuts, 0);

    struct journal_reader *reader = journal_reader_new(fixture.journal);
    struct journal_next next;
    const size_t whole[] = {0, 9001, sizeof(large_bytes)};
    for (int i = 0; i < 3; i++) {
        CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
        CHECK_INT_EQ(next.message.kind, i == 0 ? MESSAGE_PUBLISH : MESSAGE_HEAD);
        CHECK_INT_EQ(next.message.whole_bytes, whole[i]);
        CHECK_INT_EQ(next.message.payload.length, i == 0 ? 9000 : MESSAGE_HEAD_BYTES);
        CHECK_SLICE_EQ(next.message.topic, "a/b");
    }
    journal_reader_free(reader);
    fixture_close(&fixture);

    fixture_open(&fixture, 1 << 20);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 3, true, large), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 3, true, larger), INTAKE_JOURNALED); /* another length */
    fixture_close(&fixture);
}

static void test_gap(void)
{
    struct fixture fixture = {.mqtt5 = true};
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, false, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, false, slice_of("one")), INTAKE_JOURNALED);
    connect_session(&fixture, false, true);
    CHECK_INT_EQ(journal_last(fixture.journal), 2);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_JOURNALED), 1);

    struct journal_reader *reader = journal_reader_new(fixture.journal);
    struct journal_next next;
    struct gap gap = {0};
    CHECK_INT_EQ(journal_reader_seek(reader, 2, &next.error), OUTCOME_OK);
    CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
    CHECK(gap_from_message(&next.message, &gap));
    CHECK_SLICE_EQ(gap.cause, "broker session lost");
    CHECK_INT_EQ(gap.from_us, 1234567);
    CHECK_INT_EQ(gap.messages, -1);
    CHECK(gap.to_us >= gap.from_us && gap.noticed_at_us == gap.to_us);
    journal_reader_free(reader);
    fixture_close(&fixture);

    /* The lost session is forgotten by the next process too. */
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, true, slice_of("one")), INTAKE_JOURNALED);
    fixture_close(&fixture);
}

/* Fills the journal; returns how many it took. */
static unsigned fill(struct fixture *fixture)
{
    unsigned taken = 0;
    while (taken < 100000 &&
           take(fixture, 1, (uint16_t) (taken + 1), false, large) == INTAKE_JOURNALED) {
        taken++;
    }
    return taken;
}

/* Of a session that goes on; how long the callback waits for room begins with the full journal. */
static void fixture_open_full(struct fixture *fixture, int64_t wait_ms)
{
    *fixture = (struct fixture){.mqtt5 = true, .wait_ms = 10};
    fixture_open(fixture, 64 << 20);
    connect_session(fixture, false, false);
    fill(fixture);
    intake_free(fixture->intake);
    make_intake(fixture, wait_ms);
    connect_session(fixture, true, false);
}

static void test_full(void)
{
    struct fixture fixture = {.mqtt5 = true, .wait_ms = 300};
    fixture_open(&fixture, 64 << 20);
    connect_session(&fixture, false, false);
    int64_t before_ms = clock_monotonic_ms();
    unsigned taken = fill(&fixture);
    CHECK(taken > 100 && taken < 700);
    CHECK_INT_EQ(cuts, 1);
    CHECK(clock_monotonic_ms() - before_ms >= 300);
    CHECK(journal_crowded(fixture.journal));
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED), taken);
    CHECK_INT_EQ(journal_last(fixture.journal), taken);

    /* What is still in Paho's buffers does not overtake. */
    CHECK_INT_EQ(take(&fixture, 1, 2, false, slice_of("small")), INTAKE_REFUSED);
    CHECK_INT_EQ(take(&fixture, 0, 0, false, slice_of("small")), INTAKE_REFUSED);

    /* Room again: refused until the next connection, then it goes on. */
    journal_set_stored(fixture.journal, journal_last(fixture.journal));
    CHECK(journal_wait_room(fixture.journal, 5000));
    CHECK_INT_EQ(take(&fixture, 1, 2, false, slice_of("small")), INTAKE_REFUSED);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, (uint16_t) (taken + 1), true, large), INTAKE_JOURNALED);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED), taken + 1);
    fixture_close(&fixture);
}

static void *make_room(void *context)
{
    struct fixture *fixture = context;
    usleep(400000);
    journal_set_stored(fixture->journal, journal_last(fixture->journal));
    return NULL;
}

/* Room comes while the callback waits: nothing is cut. */
static void test_room_in_time(void)
{
    struct fixture fixture;
    fixture_open_full(&fixture, 10000);
    cuts = 0;
    pthread_t thread = thread_spawn("room", make_room, &fixture);
    CHECK_INT_EQ(take(&fixture, 1, 9999, false, large), INTAKE_JOURNALED);
    CHECK_INT_EQ(cuts, 0);
    pthread_join(thread, NULL);
    fixture_close(&fixture);
}

static atomic_bool room_is_enough;

/* One message every 20 ms, and never far ahead of what is taken, however slow that is: the journal
 * holds 20. */
static void *make_room_bit_by_bit(void *context)
{
    struct fixture *fixture = context;
    uint64_t stored = 0;
    while (!atomic_load(&room_is_enough) && stored < 1000) {
        usleep(20000);
        if (journal_last(fixture->journal) > stored + 17) {
            journal_set_stored(fixture->journal, ++stored);
        }
    }
    return NULL;
}

/* Each message finds room after a short wait: the waits of a connection add up, else it would hold
 * Paho's threads for good. */
static void test_room_bit_by_bit(void)
{
    struct fixture fixture = {.mqtt5 = true, .wait_ms = 300};
    fixture_open(&fixture, 2 << 20);
    connect_session(&fixture, false, false);
    pthread_t thread = thread_spawn("room", make_room_bit_by_bit, &fixture);
    unsigned taken = fill(&fixture);
    CHECK(taken > 10 &&
          taken < 900); /* mostly 40; as long as there is room if they do not add up */
    CHECK_INT_EQ(cuts, 1);

    /* The next connection waits anew. */
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 9999, false, large), INTAKE_JOURNALED);
    atomic_store(&room_is_enough, true);
    pthread_join(thread, NULL);
    fixture_close(&fixture);
}

/* MQTT 3.1.1, QoS 2: a refusal would lose it, so it waits longer than others. */
static void test_qos_2_of_3_1_1(void)
{
    struct fixture fixture = {.mqtt5 = false, .wait_ms = 10};
    fixture_open(&fixture, 64 << 20);
    connect_session(&fixture, false, false);
    fill(&fixture);
    connect_session(&fixture, true, false);
    cuts = 0;
    pthread_t thread = thread_spawn("room", make_room, &fixture);
    CHECK_INT_EQ(take(&fixture, 2, 9999, false, large), INTAKE_JOURNALED);
    CHECK_INT_EQ(cuts, 0);
    pthread_join(thread, NULL);
    fixture_close(&fixture);
}

static void *stop_it(void *context)
{
    struct fixture *fixture = context;
    usleep(200000);
    intake_stop(fixture->intake);
    return NULL;
}

static void test_stop(void)
{
    struct fixture fixture;
    fixture_open_full(&fixture, 60000);
    pthread_t thread = thread_spawn("stop", stop_it, &fixture);
    int64_t before_ms = clock_monotonic_ms();
    CHECK_INT_EQ(take(&fixture, 1, 9999, false, large), INTAKE_REFUSED);
    CHECK(clock_monotonic_ms() - before_ms < 5000);
    pthread_join(thread, NULL);
    fixture_close(&fixture);
}

static const struct subscription_set *two_filters(void)
{
    static struct subscription list[] = {{.filter = "a/+"}, {.filter = "a/#"}, {.filter = "c"}};
    static const struct subscription_set set = {list, 3};
    return &set;
}

/* MQTT 3.1.1 while subscriptions change: two copies, one right behind the other. */
static void test_handover(void)
{
    struct fixture fixture = {0};
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, false, slice_of("a")), INTAKE_JOURNALED);
    intake_handover_begin(fixture.intake, two_filters());
    CHECK_INT_EQ(take(&fixture, 1, 3, false, slice_of("a")), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 4, false, slice_of("b")), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 5, false, slice_of("b")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 6, false, slice_of("d")), INTAKE_JOURNALED); /* the next one */
    intake_handover_end(fixture.intake);
    CHECK_INT_EQ(take(&fixture, 1, 7, false, slice_of("d")), INTAKE_DUPLICATE); /* was queued */
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 7, true, slice_of("d")), INTAKE_DUPLICATE); /* comes again */
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED),
                 metric_get(METRIC_MESSAGES_DUPLICATE) + metric_get(METRIC_MESSAGES_JOURNALED));
    CHECK_INT_EQ(take(&fixture, 1, 8, false, slice_of("c")), INTAKE_JOURNALED);
    fixture_close(&fixture);

    /* Another process: the broker repeats the copy that never was in the journal. */
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 6, true, slice_of("d")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 7, true, slice_of("d")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 8, true, slice_of("c")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 9, true, slice_of("d")), INTAKE_JOURNALED);

    /* And after a lost session it means nothing any more. */
    connect_session(&fixture, false, true);
    fixture_close(&fixture);
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, true, false);
    CHECK_INT_EQ(take(&fixture, 1, 7, true, slice_of("d")), INTAKE_JOURNALED);
    fixture_close(&fixture);
}

/* A session with filters to be left, and what the broker has queued. */
static void connect_queue(struct fixture *fixture, bool left_between)
{
    intake_connected(fixture->intake, &(struct intake_session){.broker = 1,
                                                               .present = true,
                                                               .changing = two_filters(),
                                                               .left_between = left_between});
}

static void test_queue_of_two_filters(void)
{
    struct fixture fixture = {0};
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, false, false);
    CHECK_INT_EQ(take(&fixture, 1, 1, false, slice_of("a")), INTAKE_JOURNALED);

    /* The first copy of "a" comes once more, the second one never came. */
    connect_queue(&fixture, true);
    CHECK_INT_EQ(take(&fixture, 1, 1, true, slice_of("a")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 2, false, slice_of("a")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 3, false, slice_of("b")), INTAKE_JOURNALED);
    intake_handover_begin(fixture.intake, two_filters());
    CHECK_INT_EQ(take(&fixture, 1, 4, false, slice_of("b")), INTAKE_DUPLICATE);
    intake_handover_end(fixture.intake);
    CHECK_INT_EQ(take(&fixture, 1, 7, false, slice_of("c")), INTAKE_JOURNALED);
    fixture_close(&fixture);

    /* The next process knows the copies that were left out, and that the last message had none. */
    fixture_open(&fixture, 256 << 20);
    connect_queue(&fixture, true);
    CHECK_INT_EQ(take(&fixture, 1, 2, true, slice_of("a")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 4, true, slice_of("b")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 8, false, slice_of("d")), INTAKE_JOURNALED);
    fixture_close(&fixture);

    /* Killed between two copies of "d", and behind the second one of "e". */
    fixture_open(&fixture, 256 << 20);
    connect_queue(&fixture, true);
    CHECK_INT_EQ(take(&fixture, 1, 9, true, slice_of("d")), INTAKE_DUPLICATE);
    CHECK_INT_EQ(take(&fixture, 1, 10, false, slice_of("e")), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 11, false, slice_of("e")), INTAKE_DUPLICATE);
    fixture_close(&fixture);
    fixture_open(&fixture, 256 << 20);
    connect_queue(&fixture, true);
    CHECK_INT_EQ(take(&fixture, 1, 12, false, slice_of("e")), INTAKE_JOURNALED);
    fixture_close(&fixture);
}

/* Equal messages that the journal has tell the next process that equal messages are no copies. */
static void test_equal_ones_in_the_journal(void)
{
    struct fixture fixture = {0};
    fixture_open(&fixture, 256 << 20);
    connect_session(&fixture, false, false);
    for (uint16_t id = 1; id < 5; id++) {
        CHECK_INT_EQ(take(&fixture, 1, id, false, slice_of("a")), INTAKE_JOURNALED);
    }
    fixture_close(&fixture);
    fixture_open(&fixture, 256 << 20);
    connect_queue(&fixture, true);
    CHECK_INT_EQ(take(&fixture, 1, 5, false, slice_of("b")), INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, 6, false, slice_of("b")), INTAKE_JOURNALED);
    fixture_close(&fixture);
}

/* A message that found no room comes again: it is not the second copy of itself. */
static void test_refused_in_a_handover(void)
{
    struct fixture fixture = {.wait_ms = 10};
    uint16_t id = 1;
    struct slice payload = large;
    fixture_open(&fixture, 64 << 20);
    connect_queue(&fixture, true);
    while (id < 5000 && take(&fixture, 1, id, false, payload) == INTAKE_JOURNALED) {
        id++;
        payload.length--; /* no two are equal */
    }
    CHECK(id > 100 && id < 5000);
    make_room(&fixture);
    enum intake_verdict verdict = INTAKE_REFUSED;
    for (int i = 0; i < 100 && verdict == INTAKE_REFUSED; i++) {
        connect_queue(&fixture, true);
        verdict = take(&fixture, 1, id, false, payload);
    }
    CHECK_INT_EQ(verdict, INTAKE_JOURNALED);
    CHECK_INT_EQ(take(&fixture, 1, (uint16_t) (id + 1), false, payload), INTAKE_DUPLICATE);
    fixture_close(&fixture);
}

UNIT_MAIN("intake", {"queue of two filters", test_queue_of_two_filters},
          {"equal ones in the journal", test_equal_ones_in_the_journal},
          {"refused in a handover", test_refused_in_a_handover}, {"counts", test_counts},
          {"too large", test_too_large}, {"handover", test_handover}, {"gap", test_gap},
          {"full", test_full}, {"room in time", test_room_in_time},
          {"room bit by bit", test_room_bit_by_bit}, {"qos 2 of 3.1.1", test_qos_2_of_3_1_1},
          {"stop", test_stop})
