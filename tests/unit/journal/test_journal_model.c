/*
 * A journal against a model of it: random operations, each run from a seed that is printed when it
 * fails. MODEL_SEED=n repeats one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fixture.h"
#include "journal/journal_internal.h"

FIXTURE_IN_MEMORY

static struct error error;

enum { MESSAGES_MAX = 4000, STEPS = 1500 };

/* What must be true. */
struct model {
    struct journal *journal;
    struct journal_reader *reader;
    struct journal_options options;
    char directory[300];
    int copies;
    uint64_t random;
    uint64_t sequences[MESSAGES_MAX + 1]; /* of message n */
    uint64_t count;                       /* messages appended */
    uint64_t next;   /* the n that the reader must give next; count + 1 at the end */
    uint64_t stored; /* messages stored, the highest ever */
    uint64_t stored_now;
    uint64_t last; /* the highest number given */
};

static uint64_t pick(struct model *model, uint64_t below)
{
    return fixture_random(&model->random) % below;
}

static size_t pick_size(struct model *model)
{
    switch (pick(model, 20)) {
    case 0:
        return 8 + pick(model, 100000); /* a segment of its own */
    case 1:
        return 8;
    default:
        return 8 + pick(model, 3000);
    }
}

/* The keeper may make room right behind a refusal: then the next try finds it. */
enum { TRIES_MAX = 10 };

static void step_append(struct model *model)
{
    enum outcome outcome = OUTCOME_RETRY;
    uint64_t sequence;
    if (model->count == MESSAGES_MAX) {
        return;
    }
    uint64_t size = pick_size(model);
    for (int tries = 0; tries < TRIES_MAX && outcome == OUTCOME_RETRY; tries++) {
        outcome = fixture_append(model->journal, model->count + 1, size, &sequence);
        if (outcome == OUTCOME_RETRY && journal_crowded(model->journal)) {
            break;
        }
    }
    if (outcome == OUTCOME_OK) {
        CHECK_INT_EQ(sequence, model->last + 1);
        model->last = sequence;
        model->sequences[++model->count] = sequence;
    } else {
        CHECK_INT_EQ(outcome, OUTCOME_RETRY);
        CHECK(journal_crowded(model->journal));
    }
    CHECK_INT_EQ(journal_last(model->journal), model->last);
}

static void step_read(struct model *model)
{
    struct journal_next next;
    for (uint64_t times = pick(model, 30); times > 0; times--) {
        switch (journal_reader_next(model->reader, &next)) {
        case JOURNAL_READ_MESSAGE:
            CHECK_INT_EQ(fixture_number(&next.message), model->next);
            CHECK_INT_EQ(next.message.sequence, model->sequences[model->next]);
            model->next++;
            break;
        case JOURNAL_READ_MISSING: /* only what may have been deleted */
            CHECK(next.missing.deleted);
            while (model->next <= model->count &&
                   model->sequences[model->next] < journal_reader_position(model->reader)) {
                model->next++;
            }
            CHECK(model->next <= model->stored + 1);
            break;
        case JOURNAL_READ_END:
            CHECK_INT_EQ(model->next, model->count + 1);
            return;
        case JOURNAL_READ_FAILED:
            CHECK_TEXT_EQ(next.error.text, "no I/O error");
            return;
        }
    }
}

static uint64_t position_of(const struct model *model, uint64_t n)
{
    return n == 0 ? 1 : n > model->count ? model->last + 1 : model->sequences[n];
}

static void step_seek(struct model *model)
{
    model->next = 1 + pick(model, model->count + 1);
    CHECK(journal_reader_seek(model->reader, position_of(model, model->next), &error) ==
          OUTCOME_OK);
    CHECK(journal_reader_seek(model->reader, model->last + 2, &error) == OUTCOME_FATAL);
}

static void step_store(struct model *model)
{
    uint64_t to = pick(model, 4) == 0
                      ? pick(model, model->stored_now + 1) /* the database went back */
                      : model->stored_now + pick(model, model->count - model->stored_now + 1);
    model->stored_now = to;
    model->stored = to > model->stored ? to : model->stored;
    journal_set_stored(model->journal, to == 0 ? 0 : model->sequences[to]);
    CHECK_INT_EQ(journal_stored(model->journal), to == 0 ? 0 : model->sequences[to]);
}

static void open_again(struct model *model)
{
    model->options.directory = model->directory;
    model->options.max_bytes = (1 + (int64_t) pick(model, 3)) * MB;
    model->options.keep_ms = pick(model, 2) == 0 ? 0 : 3600000;
    model->options.sync_ms = (int64_t) pick(model, 4) * 3 - 1;
    if (model->count > 0 && pick(model, 5) == 0) {
        fixture_edit_position(model->directory, fixture_edit_last_by, pick(model, 1000));
    }
    model->journal = fixture_open(&model->options);
    model->reader = journal_reader_new(model->journal);
    /* After a kill the position may be older than what was last said. */
    CHECK(journal_last(model->journal) >= model->sequences[model->count]);
    CHECK(journal_stored(model->journal) <= model->sequences[model->stored]);
    model->last = journal_last(model->journal);
    while (model->stored_now > 0 &&
           model->sequences[model->stored_now] > journal_stored(model->journal)) {
        model->stored_now--;
    }
    while (model->stored_now < model->count &&
           model->sequences[model->stored_now + 1] <= journal_stored(model->journal)) {
        model->stored_now++;
    }
    step_seek(model);
}

static void step_reopen(struct model *model)
{
    uint64_t last = model->last;
    journal_reader_free(model->reader);
    journal_close(model->journal);
    open_again(model);
    CHECK(model->last >= last);
}

/* kill -9: what is in the files at this moment goes on elsewhere. */
static void step_kill(struct model *model)
{
    char from[300];
    snprintf(from, sizeof(from), "%s", model->directory);
    snprintf(model->directory, sizeof(model->directory), "%s/m%d", unit_scratch(), ++model->copies);
    fixture_remove(model->directory);
    fixture_copy(from, model->directory);
    journal_reader_free(model->reader);
    journal_close(model->journal);
    fixture_remove(from);
    open_again(model);
}

/* The same from beside. */
static void step_look(struct model *model)
{
    struct journal_options looking = model->options;
    struct journal_info info;
    looking.read_only = true;
    struct journal *beside = fixture_open(&looking);
    CHECK_INT_EQ(journal_last(beside) - beside->skipped,
                 model->count == 0 ? 0 : model->sequences[model->count]);
    struct seen *seen = fixture_read_from(beside, 1);
    CHECK(!seen->strange && seen->missing == 0);
    CHECK(seen->count >= model->count - model->stored);
    /* What is stored may be deleted while we read. */
    for (size_t i = seen->count; i > 0 && model->count - (seen->count - i) > model->stored; i--) {
        CHECK_INT_EQ(seen->numbers[i - 1], model->count - (seen->count - i));
    }
    journal_close(beside);
    journal_info(model->journal, &info);
    CHECK(info.waiting <= model->count - model->stored_now);
    CHECK(info.waiting >= model->count - model->stored);
    CHECK_INT_EQ(info.last, model->last);
}

/* Books that must balance whenever the lock is free (journal_internal.h). */
static void check_invariants(struct model *model)
{
    struct journal *journal = model->journal;
    pthread_mutex_lock(&journal->lock);
    for (size_t i = 0; i < journal->segment_count; i++) {
        const struct journal_segment *segment = &journal->segments[i];
        CHECK(i == 0 || segment->first_sequence > segment[-1].first_sequence);
        CHECK(segment->synced <= segment->end);
        CHECK(i + 1 == journal->segment_count || segment->sealed);
        CHECK(segment->sealed || segment->fd >= 0);
    }
    CHECK(journal->skipped <= journal->last);
    pthread_mutex_unlock(&journal->lock);
}

static void run(uint64_t seed)
{
    static struct model model;
    model = (struct model){.random = seed * 0x9E3779B97F4A7C15u | 1};
    snprintf(model.directory, sizeof(model.directory), "%s/m0", unit_scratch());
    fixture_remove(model.directory);
    open_again(&model);
    for (int step = 0; step < STEPS; step++) {
        UNIT_CASE("MODEL_SEED=%llu step %d", (unsigned long long) seed, step);
        uint64_t what = pick(&model, 1000);
        if (what < 600) {
            step_append(&model);
        } else if (what < 850) {
            step_read(&model);
        } else if (what < 900) {
            step_seek(&model);
        } else if (what < 960) {
            step_store(&model);
        } else if (what < 970) {
            CHECK(journal_sync(model.journal, &error) == OUTCOME_OK);
        } else if (what < 985) {
            step_look(&model);
        } else if (what < 993) {
            step_reopen(&model);
        } else {
            step_kill(&model);
        }
        check_invariants(&model);
    }
    journal_reader_free(model.reader);
    journal_close(model.journal);
    fixture_remove(model.directory);
}

static void test_random_operations(void)
{
    const char *only = getenv("MODEL_SEED");
    fixture_quiet();
    if (only != NULL) {
        run((uint64_t) atol(only));
        return;
    }
    for (uint64_t seed = 1; seed <= 30 / FIXTURE_STEP; seed++) {
        run(seed);
    }
}

UNIT_MAIN("journal_model", {"random operations", test_random_operations})
