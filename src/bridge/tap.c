/* SPDX-License-Identifier: MIT */
#include "bridge/tap.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "bridge/plan_keeper.h"
#include "journal/journal_reader.h"
#include "load/copies_recall.h"
#include "load/explain_lines.h"
#include "load/recall.h"

enum { PAYLOAD_CHARACTERS_MAX = 300 };

struct tap {
    struct generation *generation; /* owned */
    struct journal *journal;       /* borrowed */
    struct mapper *mapper;
    struct journal_reader *reader;
    unsigned rule; /* in the ruleset */
    struct copies *copies;
    uint64_t next; /* the message after those that the last poll looked at; 0 = no poll yet */
};

/* One poll: its result so far. */
struct glance {
    struct buf *out;
    size_t shown;
    uint64_t more;    /* of the rule, not shown */
    uint64_t skipped; /* not looked at */
};

static bool find_rule(const struct ruleset *ruleset, const char *name, unsigned *rule)
{
    for (unsigned i = 0; i < ruleset->count; i++) {
        if (strcmp(ruleset->rules[i]->name, name) == 0) {
            *rule = i;
            return true;
        }
    }
    return false;
}

/* Reads what formats with state have learned from earlier messages (table memory) into the tap's
 * own mapper. Without the database the tap shows less: a debug line says why. */
static void recall_memory(struct mapper *mapper, const struct pg_options *database)
{
    struct pg_connection *connection;
    struct pg_failure failure;
    struct error error;

    if (mapper_memory(mapper) == NULL) {
        return;
    }
    connection = pg_connection_new(database);
    if (pg_connect(connection, &error) != OUTCOME_OK) {
        log_debug("tap without the table memory", F_TEXT("reason", error.text));
    } else if (recall(mapper, connection, 0, &failure) != OUTCOME_OK) {
        log_debug("tap without the table memory", F_TEXT("reason", failure.message));
    }
    pg_connection_free(connection);
}

struct tap *tap_new(const struct tap_options *options, struct generation *generation,
                    const char *rule)
{
    struct tap *tap;
    unsigned index;

    if (!find_rule(generation->ruleset, rule, &index)) {
        generation_free(generation);
        return NULL;
    }
    assert(options->journal != NULL && options->database != NULL && options->settings != NULL);
    tap = memory_alloc(sizeof(*tap));
    tap->generation = generation;
    tap->journal = options->journal;
    tap->rule = index;
    tap->mapper = mapper_new(generation->ruleset);
    tap->copies = copies_new();
    plan_keeper_look(generation, options->settings, options->journal);
    copies_use(tap->copies, generation->ruleset->plans);
    mapper_set_copies(tap->mapper, tap->copies);
    recall_memory(tap->mapper, options->database);
    tap->reader = journal_reader_new(options->journal);
    return tap;
}

void tap_free(struct tap *tap)
{
    if (tap == NULL) {
        return;
    }
    journal_reader_free(tap->reader);
    mapper_free(tap->mapper);
    copies_free(tap->copies);
    generation_free(tap->generation);
    free(tap);
}

const char *tap_rule(const struct tap *tap)
{
    return tap->generation->ruleset->rules[tap->rule]->name;
}

/* Appends the message's rows as elements of an array, as many as fit into TAP_LINES_BYTES_MAX. When
 * some are left out, a last element with "cut" tells how many rows there are. */
static void append_lines(struct buf *out, const struct mapped *mapped)
{
    struct buf lines = {0};
    size_t end;

    explain_append_mapped(&lines, mapped);
    assert(lines.length > 0); /* also a message without rows has a line */
    end = lines.length;
    if (end > TAP_LINES_BYTES_MAX) {
        const char *last = memrchr(lines.data, '\n', TAP_LINES_BYTES_MAX);

        end = last == NULL ? 0 : (size_t) (last - lines.data) + 1;
    }
    for (size_t i = 0; i + 1 < end; i++) { /* the last newline separates nothing */
        lines.data[i] = lines.data[i] == '\n' ? ',' : lines.data[i];
    }
    buf_append(out, lines.data, end > 0 ? end - 1 : 0);
    if (end < lines.length) {
        buf_printf(out, "%s{\"rule\":", end > 0 ? "," : "");
        text_append_json(out, slice_of(mapped->rule->name));
        buf_printf(out, ",\"cut\":true,\"rows\":%zu}", mapped->rows);
    }
    buf_fini(&lines);
}

/* The payload is cut to PAYLOAD_CHARACTERS_MAX; bytes that are no text are written as \xNN. */
static void append_message(struct glance *glance, const struct message *message,
                           const struct mapped *mapped)
{
    struct buf *out = glance->out, payload = {0};

    assert(glance->shown < TAP_MESSAGES_MAX);

    text_append_printable(&payload, message->payload, PAYLOAD_CHARACTERS_MAX);
    buf_printf(out, "%s{\"sequence\":%" PRIu64 ",\"at\":\"", glance->shown > 0 ? "," : "",
               message->sequence);
    text_format_time(out, message->received_at_us);
    buf_append_text(out, "\",\"topic\":");
    text_append_json(out, message->topic);
    buf_append_text(out, ",\"payload\":");
    text_append_json(out, buf_slice(&payload));
    buf_append_text(out, ",\"lines\":[");
    append_lines(out, mapped);
    buf_append_text(out, "]}");
    glance->shown++;
    buf_fini(&payload);
}

/* Shows the message if the tap's rule takes it. Every message teaches the mapper, whatever its
 * rule: the formats with state need it. */
static void look_at(struct tap *tap, const struct message *message, struct glance *glance)
{
    struct memory_entry learned;
    size_t matches;

    (void) mapper_learn(tap->mapper, message, &learned);
    matches = mapper_find(tap->mapper, message);
    for (size_t i = 0; i < matches; i++) {
        if (mapper_rule(tap->mapper, i) != tap->rule) {
            continue;
        }
        if (glance->shown < TAP_MESSAGES_MAX) {
            append_message(glance, message, mapper_map_found(tap->mapper, i));
        } else {
            glance->more++;
        }
    }
}

/* The message number to begin with, so that one poll gets to the end of the journal. Messages
 * between `from` and there are counted as skipped. The journal may have deleted its first messages,
 * and `from` may come from a page that showed another journal. */
static uint64_t begin_at(const struct tap *tap, uint64_t from, struct glance *glance)
{
    uint64_t end = journal_last(tap->journal) + 1;
    uint64_t first = journal_first(tap->journal);
    uint64_t most = from == 0 ? TAP_LOOK_BACK : TAP_SCAN_MAX;
    uint64_t begin = end > most ? end - most : 1;

    if (from > end) { /* a number of another journal */
        from = end;
    }
    if (from > begin) {
        begin = from;
    } else if (from != 0) {
        glance->skipped = begin - from;
    }
    begin = begin > first ? begin : first;
    assert(begin <= end || end < first);
    return begin < end ? begin : end;
}

enum outcome tap_poll(struct tap *tap, uint64_t from, struct buf *out, struct error *error)
{
    struct glance glance = {.out = out};
    enum journal_read read = JOURNAL_READ_MESSAGE;
    struct journal_next next;
    uint64_t begin = begin_at(tap, from, &glance);

    if (begin != tap->next) {
        copies_recall(tap->reader, tap->journal, tap->generation->ruleset, tap->copies, begin - 1);
    }
    tap->next = 0;
    if (journal_reader_seek(tap->reader, begin, error) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    buf_append_text(out, "{\"rule\":");
    text_append_json(out, slice_of(tap_rule(tap)));
    buf_append_text(out, ",\"messages\":[");
    for (size_t i = 0; i < TAP_SCAN_MAX && read != JOURNAL_READ_END; i++) {
        read = journal_reader_next(tap->reader, &next);
        if (read == JOURNAL_READ_FAILED) {
            *error = next.error;
            return OUTCOME_RETRY;
        }
        if (read == JOURNAL_READ_MESSAGE && next.message.kind == MESSAGE_PUBLISH) {
            look_at(tap, &next.message, &glance);
        }
    }
    assert(glance.shown <= TAP_MESSAGES_MAX);
    tap->next = journal_reader_position(tap->reader);
    buf_printf(out, "],\"next\":%" PRIu64 ",\"more\":%" PRIu64 ",\"skipped\":%" PRIu64 "}",
               journal_reader_position(tap->reader), glance.more, glance.skipped);
    return OUTCOME_OK;
}
