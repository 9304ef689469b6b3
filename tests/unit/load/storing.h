/*
 * storing: what tests of storing share: two rules "a" and "b" with the tables "a" and "b", of one
 * text column each, over a scripted server and a journal of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_UNIT_STORING_H
#define MQTT2PG_UNIT_STORING_H

#include <ftw.h>

#include "base/log.h"
#include "base/problems.h"
#include "journal/journal.h"
#include "load/batch.h"
#include "load/blame.h"
#include "load/pg_script.h"
#include "load/store.h"

enum { STORING_RULES = 2 };

struct storing {
    struct pg_script script;
    struct pg_connection *connection;
    struct option_text topics[STORING_RULES];
    struct option_column column;
    struct rule_options options[STORING_RULES];
    struct ruleset *ruleset;
    struct mapper *mapper;
    struct rule_targets *targets;
    struct verdicts verdicts;
    struct batch_options limits;
    char directory[64];
    struct journal *journal;
    struct journal_reader *reader;
    struct batch *batch;
    struct store store;
};

/* What the catalog says: both tables, or one alone. */
static inline void storing_catalog(struct storing *storing)
{
    static const struct script_line lines[] = {
        {"to_regclass(r.name)", "\"a\",\"b\"",
         "ROWS:1|100|public|a|r|t|t|t|t\n2|200|public|b|r|t|t|t|t", 0},
        {"to_regclass(r.name)", "\"a\"", "ROWS:1|100|public|a|r|t|t|t|t", 0},
        {"to_regclass(r.name)", "\"b\"", "ROWS:1|200|public|b|r|t|t|t|t", 0},
        {"attrelid", NULL,
         "ROWS:100|n|text|25|\\N|25|-1|f|f|f|\\N|\\N|text|25|f\n"
         "200|n|text|25|\\N|25|-1|f|f|f|\\N|\\N|text|25|f",
         0},
        {"pg_backend_pid", NULL, "ROWS:150000|UTF8|f|f|4711|1", 0},
        {"pg_control", NULL, "ERROR:42501:denied", 0},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        pg_script_add(&storing->script, lines[i]);
    }
}

static inline void storing_rules(struct storing *storing)
{
    static const char *const names[STORING_RULES] = {"a", "b"};
    struct problems problems = {0};

    storing->column = (struct option_column){.name = "n", .expression = "$$"};
    for (int i = 0; i < STORING_RULES; i++) {
        storing->topics[i] = (struct option_text){.text = i == 0 ? "a/#" : "b/#"};
        storing->options[i] = (struct rule_options){.name = names[i],
                                                    .topics = &storing->topics[i],
                                                    .topic_count = 1,
                                                    .qos = 1,
                                                    .share = "",
                                                    .format = {.text = "text"},
                                                    .table = {.text = names[i]},
                                                    .columns = &storing->column,
                                                    .column_count = 1};
    }
    storing->ruleset = ruleset_compile(storing->options, STORING_RULES, "client", true, &problems);
    ruleset_enter(storing->ruleset);
    problems_print(&problems, stdout);
    problems_fini(&problems);
    if (!CHECK(storing->ruleset != NULL)) {
        exit(1);
    }
}

static inline void storing_journal(struct storing *storing)
{
    struct error error;

    snprintf(storing->directory, sizeof(storing->directory), "/tmp/storing.XXXXXX");
    CHECK(mkdtemp(storing->directory) != NULL);
    const struct journal_options options = {.directory = storing->directory,
                                            .max_bytes = 64 * JOURNAL_BYTES_MIN,
                                            .sync_ms = JOURNAL_SYNC_NEVER};
    if (!CHECK(journal_open(&storing->journal, &options, &error) == OUTCOME_OK)) {
        printf("%s\n", error.text);
        exit(1);
    }
    storing->reader = journal_reader_new(storing->journal);
}

static inline void storing_start(struct storing *storing)
{
    struct pg_failure failure = {.message = ""};

    *storing = (struct storing){.limits = {.max_rows = 1000, .max_bytes = 1024 * 1024}};
    pg_script_start(&storing->script);
    storing->connection = pg_script_connect(&storing->script);
    storing_rules(storing);
    storing_journal(storing);
    storing->mapper = mapper_new(storing->ruleset);
    storing->targets = rule_targets_new(storing->ruleset, storing->mapper);
    storing_catalog(storing);
    CHECK_INT_EQ(rule_targets_read(storing->targets, storing->connection, &failure), OUTCOME_OK);
    storing->batch = batch_new(STORING_RULES);
    storing->store = (struct store){.connection = storing->connection,
                                    .journal = journal_uuid(storing->journal),
                                    .ruleset = storing->ruleset,
                                    .mapper = storing->mapper,
                                    .targets = storing->targets,
                                    .verdicts = &storing->verdicts};
    pg_script_clear(&storing->script);
    storing_catalog(storing);
}

static inline void storing_say(struct storing *storing, const char *sql, const char *data,
                               const char *answer, int times)
{
    pg_script_add(&storing->script, (struct script_line){sql, data, answer, times});
}

/* Appends one message for each word of `payloads`, in turn on the topics a/x and b/x, or on the
 * topic that stands before a colon: "1 2 b:3". */
static inline void storing_publish(struct storing *storing, const char *payloads)
{
    char *text = memory_strdup(payloads), *rest = text, *word;
    struct error error;

    while ((word = strsep(&rest, " ")) != NULL) {
        bool other = strncmp(word, "b:", 2) == 0;
        struct message message = {.kind = MESSAGE_PUBLISH,
                                  .qos = 1,
                                  .received_at_us = 1,
                                  .topic = slice_of(other ? "b/x" : "a/x"),
                                  .payload = slice_of(other ? word + 2 : word)};
        CHECK_INT_EQ(journal_append(storing->journal, &message, &error), OUTCOME_OK);
    }
    free(text);
}

/* Builds the batch of all messages behind `from`. */
static inline void storing_build(struct storing *storing, uint64_t from)
{
    const struct batch_builder builder = {.reader = storing->reader,
                                          .ruleset = storing->ruleset,
                                          .mapper = storing->mapper,
                                          .targets = storing->targets,
                                          .verdicts = &storing->verdicts,
                                          .options = &storing->limits,
                                          .origin = {"client", journal_uuid(storing->journal)}};
    struct error error;
    bool whole;

    CHECK_INT_EQ(journal_reader_seek(storing->reader, from + 1, &error), OUTCOME_OK);
    batch_begin(storing->batch, &builder);
    CHECK_INT_EQ(batch_extend(storing->batch, &builder, SIZE_MAX, &whole, &error), OUTCOME_OK);
    batch_finish(storing->batch);
}

/* Stores the batch, and finds out what an ERROR means. */
static inline enum store_result storing_store(struct storing *storing,
                                              struct store_failure *failure)
{
    *failure = (struct store_failure){.pg.message = ""};
    enum store_result result = store_batch(&storing->store, storing->batch, failure);
    return result == STORE_REFUSED ? blame(&storing->store, storing->batch, failure) : result;
}

static inline int storing_unlink(const char *path, const struct stat *status, int type,
                                 struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove(path);
}

static inline void storing_stop(struct storing *storing)
{
    batch_free(storing->batch);
    rule_targets_free(storing->targets);
    mapper_free(storing->mapper);
    verdicts_fini(&storing->verdicts);
    ruleset_free(storing->ruleset);
    journal_reader_free(storing->reader);
    journal_close(storing->journal);
    pg_connection_free(storing->connection);
    pg_script_stop(&storing->script);
    nftw(storing->directory, storing_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
