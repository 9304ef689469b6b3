/* Dead letters there and back, against a real PostgreSQL.
 *
 * SPDX-License-Identifier: MIT */
#include "core/property.h"
#include "pg/dead_letter.h"
#include "pg/gaps.h"
#include "pg/memory_rows.h"
#include "pg/pg_live.h"
#include "pg/pg_quote.h"
#include "pg/progress.h"
#include "row/copy_format.h"
#include "sql_text.h"

#define JOURNAL "11111111-2222-3333-4444-555555555555"

static struct pg_connection *connect_empty(void)
{
    struct pg_connection *connection = live_connect();
    struct error error = {0};
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    live_run(connection, "truncate mqtt2pg.dead_letter, mqtt2pg.gap restart identity");
    return connection;
}

static void add(struct buf *list, enum property id, uint32_t number, struct slice name,
                struct slice value)
{
    const struct property_item item = {.id = id, .number = number, .name = name, .value = value};
    property_append(list, &item);
}

/* Messages whose every byte must come back. */
enum { MESSAGES = 12 };

static void make_properties(struct buf lists[MESSAGES])
{
    const struct slice none = {0};
    struct buf *full = &lists[1];
    add(full, PROPERTY_PAYLOAD_FORMAT, 1, none, none);
    add(full, PROPERTY_MESSAGE_EXPIRY, 4294967295u, none, none);
    add(full, PROPERTY_CONTENT_TYPE, 0, none, slice_of("text/plain; ü"));
    add(full, PROPERTY_RESPONSE_TOPIC, 0, none, slice_of("re/\"quoted\"/\\x"));
    add(full, PROPERTY_CORRELATION_DATA, 0, none, slice_make("\0\1\xff", 3));
    add(full, PROPERTY_SUBSCRIPTION, 1, none, none);
    add(full, PROPERTY_SUBSCRIPTION, 128, none, none);
    add(full, PROPERTY_SUBSCRIPTION, 16384, none, none);
    add(full, PROPERTY_SUBSCRIPTION, 268435455, none, none);
    add(full, PROPERTY_USER, 0, slice_of("z"), slice_of("1"));
    add(full, PROPERTY_USER, 0, slice_of("a"), slice_of(""));
    add(full, PROPERTY_USER, 0, slice_of("z"), slice_of("2"));
    add(&lists[2], PROPERTY_USER, 0, slice_of("k"), slice_of("before"));
    add(&lists[2], PROPERTY_CONTENT_TYPE, 0, none, slice_of("after"));
    add(&lists[3], PROPERTY_CONTENT_TYPE, 0, none, slice_make("a\0b", 3));
    add(&lists[4], PROPERTY_USER, 0, slice_of("\xff\xfe"), slice_of("x"));
    buf_append(&lists[5], "\x23\x00\x07\x03\x00", 5); /* topic alias, then torn */
    static char long_text[65535];
    memset(long_text, 'x', sizeof(long_text));
    add(&lists[6], PROPERTY_USER, 0, slice_make(long_text, 40000), slice_make(long_text, 65535));
    add(&lists[7], PROPERTY_CONTENT_TYPE, 0, none, slice_of(""));
    add(&lists[7], PROPERTY_CORRELATION_DATA, 0, none, none);
}

static const struct slice topics[MESSAGES] = {
    SLICE_LITERAL("devices/1/telemetry"),
    SLICE_LITERAL("a/\\x00/literal"),
    SLICE_LITERAL("nul\0inside"),
    SLICE_LITERAL("bad\xff\xfe/utf8"),
    SLICE_LITERAL(""),
    SLICE_LITERAL("new\nline\ttab\x01"),
    SLICE_LITERAL("ümlaut/😀"),
    SLICE_LITERAL("'; drop table x; --"),
    SLICE_LITERAL("\0"),
    SLICE_LITERAL("a/+/#"),
    SLICE_LITERAL("\xed\xa0\x80"),
    SLICE_LITERAL("$SYS/x"),
};

static void check_message(const struct dead_letter_row *row, const struct message *message)
{
    CHECK(slice_equal(row->message.topic, message->topic));
    CHECK(slice_equal(row->message.properties, message->properties));
    CHECK(slice_equal(row->message.payload, message->payload));
    CHECK_INT_EQ(row->message.kind, MESSAGE_PUBLISH);
    CHECK_INT_EQ(row->message.qos, message->qos);
    CHECK_INT_EQ(row->message.retained, message->retained);
    CHECK_INT_EQ(row->message.duplicate, message->duplicate);
    CHECK_INT_EQ(row->message.received_at_us, message->received_at_us);
    CHECK_INT_EQ(row->message.sequence, message->sequence);
    CHECK(row->letter.message == &row->message);
}

/* As a batch stores letters: few by INSERT, many by COPY (load/transaction). */
static enum outcome store_letters(struct pg_connection *connection, bool by_copy,
                                  const struct buf *rows, size_t count, struct pg_failure *failure)
{
    struct target *target = dead_letters_target(connection);
    struct buf header = {0}, trailer = {0};
    enum outcome outcome;

    copy_append_header(&header, target->format);
    copy_append_trailer(&trailer, target->format);
    const struct slice parts[] = {buf_slice(&header), buf_slice(rows), buf_slice(&trailer)};
    outcome = by_copy ? pg_copy(connection, target->copy, parts, 3, failure)
                      : target_run(connection, target, buf_slice(rows), count, failure);
    target_free(target);
    buf_fini(&header);
    buf_fini(&trailer);
    return outcome;
}

static void round_trip(bool by_copy)
{
    struct pg_connection *connection = connect_empty();
    struct pg_failure failure = {0};
    struct buf lists[MESSAGES] = {0};
    struct buf rows = {0};
    struct message messages[MESSAGES];
    const struct dead_letter_origin origin = {.client_id = "bridge-\"1\"", .journal = JOURNAL};

    make_properties(lists);
    for (size_t i = 0; i < MESSAGES; i++) {
        messages[i] = (struct message){.kind = MESSAGE_PUBLISH,
                                       .qos = (uint8_t) (i % 3),
                                       .retained = i % 2 == 1,
                                       .duplicate = i % 4 == 3,
                                       .sequence = i == 3 ? 0 : 1000 + i,
                                       .received_at_us = INT64_C(1790000000123456) + (int64_t) i,
                                       .topic = topics[i],
                                       .properties = buf_slice(&lists[i]),
                                       .payload = topics[MESSAGES - 1 - i]};
        const struct dead_letter letter = {.rule = i % 2 == 0 ? "even" : "odd",
                                           .failed_at_us = INT64_C(1790000001000000),
                                           .message = &messages[i],
                                           .reason = i == 0 ? "torn \xc3" : "because",
                                           .sqlstate = i == 0 ? NULL : "22003",
                                           .parked = i >= 6};
        dead_letter_append(&rows, &origin, &letter);
    }
    CHECK_INT_EQ(store_letters(connection, by_copy, &rows, MESSAGES, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(failure.message, "");

    struct dead_letter_query query = {.parked = -1};
    struct dead_letter_rows read = {0};
    CHECK_INT_EQ(dead_letters_read(connection, &query, &read, &failure), OUTCOME_OK);
    if (CHECK_INT_EQ(read.count, MESSAGES)) {
        for (size_t i = 0; i < MESSAGES; i++) {
            UNIT_CASE("message %zu", i);
            check_message(&read.list[i], &messages[i]);
            CHECK_INT_EQ(read.list[i].letter.id, i + 1);
            CHECK_TEXT_EQ(read.list[i].letter.rule, i % 2 == 0 ? "even" : "odd");
            CHECK_INT_EQ(read.list[i].letter.failed_at_us, INT64_C(1790000001000000));
            CHECK_TEXT_EQ(read.list[i].origin.journal, i == 3 ? NULL : JOURNAL);
            CHECK_TEXT_EQ(read.list[i].origin.client_id, i == 3 ? NULL : "bridge-\"1\"");
        }
        unit_case[0] = '\0';
        CHECK_TEXT_EQ(read.list[0].letter.reason, "torn \\xc3");
        CHECK_TEXT_EQ(read.list[0].letter.sqlstate, NULL);
        CHECK_TEXT_EQ(read.list[1].letter.sqlstate, "22003");
    }
    dead_letter_rows_fini(&read);
    CHECK_TEXT_EQ(live_text(connection, "select topic from mqtt2pg.dead_letter where id = 3"),
                  "nul\\x00inside");
    CHECK_TEXT_EQ(
        live_text(connection,
                  "select properties #>> '{user,2,1}' from mqtt2pg.dead_letter where id = 2"),
        "2");
    for (size_t i = 0; i < MESSAGES; i++) {
        buf_fini(&lists[i]);
    }
    buf_fini(&rows);
    pg_connection_free(connection);
}

static void test_round_trip(void)
{
    LIVE_OR_RETURN();
    round_trip(false);
    round_trip(true);
}

/* The ids that a query finds, as text. */
static const char *ids(struct pg_connection *connection, struct dead_letter_query query)
{
    static char text[200];
    struct dead_letter_rows rows = {0};
    struct pg_failure failure = {0};
    size_t used = 0;
    text[0] = '\0';
    CHECK_INT_EQ(dead_letters_read(connection, &query, &rows, &failure), OUTCOME_OK);
    for (size_t i = 0; i < rows.count; i++) {
        used += (size_t) snprintf(text + used, sizeof(text) - used, "%d ",
                                  (int) rows.list[i].letter.id);
    }
    dead_letter_rows_fini(&rows);
    return text;
}

/* Letters 5 and 6 are parked, one of each rule. */
static void check_parked(struct pg_connection *connection)
{
    const char *const rules[] = {"none", "odd", "a \"quoted\" one", "even", "odd"};
    bool parked[5];
    struct pg_failure failure = {0};
    CHECK_INT_EQ(dead_letters_parked(connection, rules, 5, parked, &failure), OUTCOME_OK);
    CHECK(!parked[0] && parked[1] && !parked[2] && parked[3] && parked[4]);
    live_run(connection, "begin; delete from mqtt2pg.dead_letter where id = 5");
    CHECK_INT_EQ(dead_letters_parked(connection, rules, 5, parked, &failure), OUTCOME_OK);
    CHECK(!parked[1] && parked[3] && !parked[4]); /* odd has letters, but none is parked */
    live_run(connection, "rollback");
}

/* Letter 3 is another bridge's, letter 6 too, and letter 4 nobody's. */
static void check_whose(struct pg_connection *connection)
{
    const char *const rules[] = {"odd", "even"};
    static const struct {
        const char *client_id;
        const char *ids;
    } cases[] = {{"test", "1 2 5 "}, {"other", "3 6 "}, {"", "4 "}, {NULL, "1 2 3 4 5 6 "}};
    struct dead_letter_strays strays = {.known = rules, .known_count = 1};
    struct pg_failure failure = {0};
    bool parked[2];
    int64_t purged = -1;
    live_run(connection, "begin; update mqtt2pg.dead_letter set client_id = 'other' where id in "
                         "(3, 6); update mqtt2pg.dead_letter set client_id = null where id = 4");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct dead_letter_query query = {.client_id = cases[i].client_id, .parked = -1};
        CHECK_TEXT_EQ(ids(connection, query), cases[i].ids);
    }
    CHECK_INT_EQ(dead_letters_parked(connection, rules, 2, parked, &failure), OUTCOME_OK);
    CHECK(parked[0] && !parked[1]);
    CHECK_INT_EQ(dead_letters_find_strays(connection, &strays, &failure), OUTCOME_OK);
    CHECK_INT_EQ(strays.letters, 1);
    CHECK_TEXT_EQ(buf_string(&strays.rules), "even");
    CHECK_INT_EQ(strays.others, 3);
    CHECK_TEXT_EQ(buf_string(&strays.clients), "\"\", other");
    const struct dead_letter_query others = {.client_id = "other"};
    CHECK_INT_EQ(dead_letters_purge(connection, &others, &purged, &failure), OUTCOME_OK);
    CHECK_INT_EQ(purged, 1); /* 6 is parked */
    buf_fini(&strays.rules);
    buf_fini(&strays.clients);
    live_run(connection, "rollback");
}

static void test_queries(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct pg_failure failure = {0};
    int64_t purged = -1;
    live_run(
        connection,
        "insert into mqtt2pg.dead_letter (received_at, failed_at, rule, topic, payload, qos, "
        "retained, "
        "reason, parked, client_id) select now(), 'epoch'::timestamptz + i * interval '1 s', "
        "case when i % 2 = 0 then 'even' else 'odd' end, 't', '', 1, false, 'r', i > 4, 'test' "
        "from generate_series(1, 6) i order by i");
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = -1}), "1 2 3 4 5 6 ");
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = 1}), "5 6 ");
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = 0, .rule = "odd"}), "1 3 ");
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = -1, .id = 3}), "3 ");
    CHECK_TEXT_EQ(
        ids(connection, (struct dead_letter_query){.parked = -1, .after_id = 2, .limit = 2}),
        "3 4 ");
    CHECK_TEXT_EQ(
        ids(connection, (struct dead_letter_query){.parked = -1, .older_than_us = 3000000}),
        "1 2 ");
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = -1, .rule = "none"}), "");
    /* A letter that was chosen and has another rule since. */
    CHECK_TEXT_EQ(
        ids(connection,
            (struct dead_letter_query){.parked = -1, .ids = "{1,2,3}", .rules = "{odd,none}"}),
        "1 3 ");
    check_parked(connection);
    check_whose(connection);

    /* Two retries at once do not take the same letters. */
    struct pg_connection *other = live_connect();
    live_run(connection, "begin");
    live_run(other, "begin");
    CHECK_TEXT_EQ(
        ids(connection, (struct dead_letter_query){.parked = -1, .lock = true, .limit = 2}),
        "1 2 ");
    CHECK_TEXT_EQ(ids(other, (struct dead_letter_query){.parked = -1, .lock = true, .limit = 2}),
                  "3 4 ");
    live_run(other, "rollback");
    pg_connection_free(other);
    CHECK_INT_EQ(dead_letters_delete(connection, &(int64_t){1}, 1, &failure), OUTCOME_OK);
    const struct dead_letter changed = {
        .id = 2, .reason = "new \xff reason", .sqlstate = "", .waits = false};
    CHECK_INT_EQ(dead_letter_update(connection, &changed, &failure), OUTCOME_OK);
    CHECK_INT_EQ(pg_commit(connection, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(
        live_text(connection,
                  "select reason || coalesce(sqlstate, '-') || parked from mqtt2pg.dead_letter "
                  "where id = 2"),
        "new \\xff reason-false");
    live_run(connection, "update mqtt2pg.dead_letter set parked = true where id = 2");
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = 1}), "2 5 6 ");

    CHECK_INT_EQ(dead_letters_purge(connection,
                                    &(struct dead_letter_query){.older_than_us = 4000000}, &purged,
                                    &failure),
                 OUTCOME_OK);
    CHECK_INT_EQ(purged, 1);
    CHECK_INT_EQ(dead_letters_purge(connection, &(struct dead_letter_query){0}, &purged, &failure),
                 OUTCOME_OK);
    CHECK_INT_EQ(purged, 1);
    CHECK_TEXT_EQ(ids(connection, (struct dead_letter_query){.parked = -1}), "2 5 6 ");
    pg_connection_free(connection);
}

static void check_gaps(struct pg_connection *connection)
{
    struct gap_query query = {.client_id = "test", .unacknowledged_only = true};
    struct gap_rows gaps;
    struct pg_failure failure = {0};
    int64_t count = -1;
    CHECK_INT_EQ(gaps_read(connection, &query, &gaps, &failure), OUTCOME_OK);
    CHECK_INT_EQ(gaps.count, 2);
    CHECK_TEXT_EQ(gaps.list[0].cause, "broker session lost");
    CHECK_INT_EQ(gaps.list[0].from_us, 1000001);
    CHECK_INT_EQ(gaps.list[0].messages, 0);
    CHECK_INT_EQ(gaps.list[1].messages, -1);
    CHECK_INT_EQ(gaps.list[1].acknowledged_at_us, 0);
    CHECK_TEXT_EQ(gaps.list[1].client_id, "test");
    gap_rows_fini(&gaps);
    query.client_id = "another";
    CHECK_INT_EQ(gaps_acknowledge(connection, &query, &count, &failure), OUTCOME_OK);
    CHECK_INT_EQ(count, 0);
    query = (struct gap_query){.client_id = "test", .id = 1};
    CHECK_INT_EQ(gaps_acknowledge(connection, &query, &count, &failure), OUTCOME_OK);
    CHECK_INT_EQ(count, 1);
    CHECK_INT_EQ(gaps_acknowledge(connection, &query, &count, &failure), OUTCOME_OK);
    CHECK_INT_EQ(count, 0);
    query = (struct gap_query){.unacknowledged_only = true};
    CHECK_INT_EQ(gaps_read(connection, &query, &gaps, &failure), OUTCOME_OK);
    CHECK(gaps.count == 1 && gaps.list[0].id == 2);
    gap_rows_fini(&gaps);
    query.unacknowledged_only = false;
    CHECK_INT_EQ(gaps_read(connection, &query, &gaps, &failure), OUTCOME_OK);
    CHECK(gaps.count == 2 && gaps.list[0].acknowledged_at_us > 0);
    gap_rows_fini(&gaps);
}

/* Version 0.1 had no column acknowledged_at, and an index without client_id; the table replay had
 * two columns less. */
static void test_former_version(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct error error = {0};
    live_run(connection, "alter table mqtt2pg.gap drop column acknowledged_at; "
                         "alter table mqtt2pg.replay drop column last, drop column left_out; "
                         "insert into mqtt2pg.replay values ('test', gen_random_uuid(), 'r', "
                         "now(), now(), 7, now(), now()); "
                         "drop index mqtt2pg.dead_letter_parked_by_client; "
                         "create index dead_letter_parked on mqtt2pg.dead_letter (rule, id)");
    CHECK_INT_EQ(progress_ensure_schema(connection, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection,
                            "select string_agg(indexrelid::regclass::text, ' ' order by "
                            "indexrelid::regclass::text) from pg_index where indrelid = "
                            "'mqtt2pg.dead_letter'::regclass"),
                  "mqtt2pg.dead_letter_failed_at "
                  "mqtt2pg.dead_letter_parked_by_client "
                  "mqtt2pg.dead_letter_pkey mqtt2pg.dead_letter_sparkplug "
                  "mqtt2pg.dead_letter_waiting");
    CHECK_TEXT_EQ(live_text(connection, "select count(acknowledged_at) from mqtt2pg.gap"), "0");
    CHECK_TEXT_EQ(live_text(connection, "select last || left_out::text from mqtt2pg.replay"),
                  "9223372036854775807{}");
    live_run(connection, "truncate mqtt2pg.replay");
    pg_connection_free(connection);
}

static void test_gap(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct pg_failure failure = {0};
    const struct gap known = {.cause = SLICE_LITERAL("broker session lost"),
                              .noticed_at_us = 5000001,
                              .from_us = 1000001,
                              .to_us = 4000000,
                              .messages = 0};
    const struct gap unknown = {
        .cause = SLICE_LITERAL("odd \xff"), .noticed_at_us = 1, .messages = -1};
    CHECK_INT_EQ(gap_insert(connection, &known, &failure), OUTCOME_OK);
    CHECK_INT_EQ(gap_insert(connection, &unknown, &failure), OUTCOME_OK);
    live_run(connection, "set timezone = 'UTC'");
    CHECK_TEXT_EQ(
        live_text(connection, "select string_agg(g::text, ' ' order by id) from mqtt2pg.gap g"),
        "(1,\"1970-01-01 00:00:05.000001+00\",test,\"broker session lost\",\"1970-01-01 "
        "00:00:01.000001+00\","
        "\"1970-01-01 00:00:04+00\",0,) (2,\"1970-01-01 00:00:00.000001+00\",test,\"odd "
        "\\\\xff\",,,,)");
    check_gaps(connection);
    pg_connection_free(connection);
}

/* A clock that went mad must not make a dead letter that can't be stored. */
static void test_mad_clock(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct pg_failure failure = {0};
    struct buf rows = {0};
    const int64_t times[] = {INT64_MIN, -1, INT64_MAX};
    const struct dead_letter_origin origin = {.journal = "no uuid"};
    for (size_t i = 0; i < 3; i++) {
        const struct message message = {.received_at_us = times[i], .sequence = 1};
        const struct dead_letter letter = {
            .rule = "r", .message = &message, .reason = "r", .failed_at_us = times[i]};
        dead_letter_append(&rows, i == 0 ? NULL : &origin, &letter);
    }
    CHECK_INT_EQ(store_letters(connection, true, &rows, 3, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(failure.message, "");
    CHECK_TEXT_EQ(
        live_text(connection, "select count(*) from mqtt2pg.dead_letter where journal is null"),
        "3");
    CHECK_TEXT_EQ(
        live_text(connection,
                  "select string_agg(extract(year from received_at at time zone 'UTC')::text, "
                  "' ' order by id) from mqtt2pg.dead_letter"),
        "1970 1970 9999");
    buf_fini(&rows);
    pg_connection_free(connection);
}

static void insert_letters(struct pg_connection *connection, const char *topic, int first, int last)
{
    char *sql = memory_printf("insert into mqtt2pg.dead_letter (received_at, rule, topic, payload, "
                              "qos, retained, reason, "
                              "client_id, journal, sequence) select now(), 'r', '%s', '', 0, "
                              "false, 'x', 'test', '" JOURNAL "', i from generate_series(%d, %d) i",
                              topic, first, last);
    live_run(connection, sql);
    free(sql);
}

/* What is remembered goes up to the first dead letter that may need it, also behind a prefix of
 * topics, and an index finds that one. */
static void test_memory_prune(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct pg_failure failure = {0};
    struct memory *memory = memory_new(MEMORY_BYTES_MAX);
    const char *values[] = {"test", JOURNAL, "100"};
    struct buf plan = {0};
    struct pg_rows *rows = NULL;
    live_run(connection, "truncate mqtt2pg.memory");
    live_run(connection, "insert into mqtt2pg.memory select 'test', '" JOURNAL
                         "', 'sparkplug', 'g/e', i, '' from unnest(array[10, 20, 30]) i");
    insert_letters(connection, "other", 1, 20000);
    insert_letters(connection, "site/spBv1.0/g/NDATA/e", 25, 25);
    live_run(connection, "analyze mqtt2pg.dead_letter");
    CHECK_INT_EQ(memory_rows_prune(connection, JOURNAL, 100, memory, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(
        live_text(connection, "select string_agg(sequence::text, ' ') from mqtt2pg.memory"),
        "20 30");
    buf_append_text(&plan, "explain (format json) ");
    pg_append_for_schema(&plan, sql_memory_prune, "mqtt2pg");
    CHECK_INT_EQ(pg_query(connection, buf_string(&plan), PG_PARAMS(values), &rows, &failure),
                 OUTCOME_OK);
    CHECK(strstr(pg_rows_text(rows, 0, 0), "dead_letter_sparkplug") != NULL);
    pg_rows_free(rows);
    buf_fini(&plan);
    memory_free(memory);
    pg_connection_free(connection);
}

/* More than a page, and entries larger than one; of other journals the newest entry of a key. */
static void test_memory_pages(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = connect_empty();
    struct pg_failure failure = {0};
    struct memory *memory = memory_new(MEMORY_BYTES_MAX);
    struct memory_entry entry;
    live_run(connection, "truncate mqtt2pg.memory, mqtt2pg.progress");
    live_run(connection, "insert into mqtt2pg.progress values ('test', '" JOURNAL "', 100, now())");
    live_run(connection, "insert into mqtt2pg.memory select 'test', '" JOURNAL
                         "', 'sparkplug', 'g/e' || i, i, decode(repeat('ab', 1000), 'hex')"
                         " from generate_series(1, 2500) i");
    live_run(connection, "insert into mqtt2pg.memory select 'test', '" JOURNAL
                         "', 'sparkplug', 'large' || i, i, decode(repeat('cd', 5000000), 'hex')"
                         " from generate_series(1, 2) i");
    live_run(connection, "insert into mqtt2pg.memory select 'test', gen_random_uuid(), 'sparkplug',"
                         " 'old', i, decode('0' || i, 'hex'), now() + i * interval '1 s'"
                         " from generate_series(1, 3) i");
    live_run(connection, "insert into mqtt2pg.memory select 'other', '" JOURNAL
                         "', 'sparkplug', 'of another', 1, ''");
    CHECK_INT_EQ(memory_rows_read(connection, memory, &failure), OUTCOME_OK);
    CHECK_INT_EQ(memory_count(memory), 2500 + 2 + 1);
    CHECK(memory_find(memory, MEMORY_SPARKPLUG, slice_of("g/e1234"), 2000, &entry));
    CHECK_INT_EQ(entry.sequence, 1234);
    CHECK_INT_EQ(entry.content.length, 1000);
    CHECK(memory_find(memory, MEMORY_SPARKPLUG, slice_of("large2"), 2000, &entry));
    CHECK_INT_EQ(entry.content.length, 5000000);
    CHECK(memory_find(memory, MEMORY_SPARKPLUG, slice_of("old"), 1, &entry));
    CHECK_INT_EQ(entry.sequence, 0);
    CHECK_INT_EQ(entry.content.data[0], 3);
    memory_check(memory);
    live_run(connection, "truncate mqtt2pg.memory, mqtt2pg.progress");
    memory_free(memory);
    pg_connection_free(connection);
}

/* One session at a time takes letters of a rule; another one waits, or is told. */
static void test_lock(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *first = connect_empty(), *second = live_connect();
    const char *const rules[] = {"even", "odd"};
    const struct letter_lock both = {"test", rules, 2, false};
    struct letter_lock odd = {"test", rules + 1, 1, false};
    struct pg_failure failure = {0};
    bool taken = false;

    live_run(first, "begin");
    CHECK_INT_EQ(dead_letters_lock(first, &both, &taken, &failure), OUTCOME_OK);
    CHECK(taken);
    live_run(second, "begin; set local lock_timeout = '20ms'");
    CHECK_INT_EQ(dead_letters_lock(second, &odd, &taken, &failure), OUTCOME_OK);
    CHECK(!taken);
    odd.client_id = "other";
    CHECK_INT_EQ(dead_letters_lock(second, &odd, &taken, &failure), OUTCOME_OK);
    CHECK(taken);
    odd.client_id = "test";
    odd.wait = true;
    CHECK_INT_EQ(dead_letters_lock(second, &odd, &taken, &failure), OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.message,
                  "another command, or the service, works on dead letters of rule \"odd\"");
    live_run(first, "rollback");
    live_run(second, "rollback; begin");
    CHECK_INT_EQ(dead_letters_lock(second, &odd, &taken, &failure), OUTCOME_OK);
    CHECK(taken);
    pg_connection_free(first);
    pg_connection_free(second);
}

UNIT_MAIN("live_dead_letter", {"lock", test_lock}, {"former_version", test_former_version},
          {"round_trip", test_round_trip}, {"queries", test_queries}, {"gap", test_gap},
          {"mad_clock", test_mad_clock}, {"memory_prune", test_memory_prune},
          {"memory_pages", test_memory_pages})
