/*
 * What a crash may leave in the outbox's directory. There is no broker here: what is due stays due.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ack/outbox.h"

#include <dirent.h>
#include <sys/stat.h>

#include "ack/outbox_file.h"
#include "base/file.h"
#include "unit.h"

static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";
static const char other_uuid[] = "11234567-89ab-cdef-0123-456789abcdef";
static const char *const urls[] = {"mqtt://127.0.0.1:1"};
static const struct broker_options broker = {
    .urls = urls, .url_count = 1, .client_id = "c", .keepalive_ms = 10000};

static char directory[300];

static void new_directory(void)
{
    static int number;
    snprintf(directory, sizeof(directory), "%s/outbox%d", unit_scratch(), ++number);
}

static struct outbox *open_outbox(const char *journal, int64_t max_bytes)
{
    struct outbox *outbox = NULL;
    struct error error = {0};
    static const struct broker_place nowhere;
    struct outbox_options options = {.directory = directory,
                                     .journal = journal,
                                     .max_bytes = max_bytes,
                                     .broker = &broker,
                                     .place = &nowhere};
    CHECK_INT_EQ(outbox_open(&outbox, &options, &error), OUTCOME_OK);
    return outbox;
}

static void fill_batch(struct ack_batch *batch, unsigned count)
{
    ack_batch_reset(batch);
    for (unsigned i = 0; i < count; i++) {
        ack_batch_append(batch, &(struct ack){.rule = slice_of("r"),
                                              .topic = slice_of("t"),
                                              .payload = slice_of("{}"),
                                              .qos = 1});
    }
}

static enum outcome prepare_at(struct outbox *outbox, struct outbox_mark mark, unsigned count)
{
    struct ack_batch batch = {0};
    struct error error = {0};
    fill_batch(&batch, count);
    enum outcome outcome = outbox_prepare(outbox, &mark, &batch, &error);
    ack_batch_fini(&batch);
    return outcome;
}

/* A batch: the position alone tells. */
static enum outcome prepare(struct outbox *outbox, uint64_t position, unsigned count)
{
    return prepare_at(outbox, (struct outbox_mark){position, (int64_t) position}, count);
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *stream = opendir(directory);
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(stream);
    return count;
}

static void settle_at(struct outbox *outbox, struct outbox_mark stored)
{
    struct error error;
    CHECK_INT_EQ(outbox_settle(outbox, &stored, &error), OUTCOME_OK);
}

static void settle(struct outbox *outbox, uint64_t position)
{
    settle_at(outbox, (struct outbox_mark){position, (int64_t) position});
}

static void test_known_fate(void)
{
    new_directory();
    struct outbox *outbox = open_outbox(uuid, 1 << 20);
    settle(outbox, 0);
    CHECK_INT_EQ(prepare(outbox, 5, 0), OUTCOME_OK); /* nothing to say */
    CHECK_INT_EQ(count_files(), 0);
    CHECK_INT_EQ(prepare(outbox, 10, 3), OUTCOME_OK);
    CHECK_INT_EQ(count_files(), 1);
    CHECK_INT_EQ(outbox_waiting(outbox), 0);
    outbox_commit(outbox);
    CHECK_INT_EQ(outbox_waiting(outbox), 3);
    CHECK_INT_EQ(prepare(outbox, 20, 2), OUTCOME_OK);
    outbox_abort(outbox);
    CHECK_INT_EQ(count_files(), 1);
    CHECK_INT_EQ(prepare(outbox, 10, 4),
                 OUTCOME_OK); /* of a parked message: a second file for a position */
    outbox_abort(outbox);     /* the first one is not its business */
    CHECK_INT_EQ(outbox_waiting(outbox), 3);
    CHECK_INT_EQ(prepare(outbox, 10, 4), OUTCOME_OK);
    outbox_commit(outbox);
    CHECK_INT_EQ(outbox_waiting(outbox), 7);
    CHECK_INT_EQ(count_files(), 2);
    outbox_close(outbox, 0);
    CHECK_INT_EQ(count_files(), 2);
}

static void test_unknown_fate(void)
{
    new_directory();
    struct outbox *outbox = open_outbox(uuid, 1 << 20);
    settle(outbox, 0);
    CHECK_INT_EQ(prepare(outbox, 10, 1), OUTCOME_OK);
    CHECK_INT_EQ(prepare(outbox, 20, 2), OUTCOME_OK);
    CHECK_INT_EQ(prepare(outbox, 30, 4), OUTCOME_OK);
    outbox_close(outbox, 0);

    outbox = open_outbox(uuid, 1 << 20);
    CHECK_INT_EQ(outbox_waiting(outbox), 0); /* PostgreSQL decides */
    CHECK_INT_EQ(count_files(), 3);
    settle(outbox, 20);
    CHECK_INT_EQ(outbox_waiting(outbox), 3);
    CHECK_INT_EQ(count_files(), 2);
    CHECK_INT_EQ(prepare(outbox, 25, 8), OUTCOME_OK); /* the batch anew, cut elsewhere */
    settle(outbox, 25);
    CHECK_INT_EQ(outbox_waiting(outbox), 11);
    settle(outbox, 5); /* the database went back */
    CHECK_INT_EQ(outbox_waiting(outbox), 0);
    CHECK_INT_EQ(count_files(), 0);
    outbox_close(outbox, 0);
}

/* Parked messages are stored where the position stays: stored_at tells, and a later position makes
 * it true whatever the clock says. */
static void test_same_position(void)
{
    new_directory();
    struct outbox *outbox = open_outbox(uuid, 1 << 20);
    settle_at(outbox, (struct outbox_mark){20, 100});
    CHECK_INT_EQ(prepare_at(outbox, (struct outbox_mark){20, 101}, 1), OUTCOME_OK);
    outbox_close(outbox, 0);

    outbox = open_outbox(uuid, 1 << 20);
    settle_at(outbox, (struct outbox_mark){20, 100}); /* it was rolled back */
    CHECK_INT_EQ(count_files(), 0);
    CHECK_INT_EQ(prepare_at(outbox, (struct outbox_mark){20, 101}, 1), OUTCOME_OK);
    CHECK_INT_EQ(prepare_at(outbox, (struct outbox_mark){20, 102}, 2), OUTCOME_OK);
    outbox_close(outbox, 0);

    outbox = open_outbox(uuid, 1 << 20);
    settle_at(outbox, (struct outbox_mark){20, 101}); /* the first was committed */
    CHECK_INT_EQ(outbox_waiting(outbox), 1);
    CHECK_INT_EQ(prepare_at(outbox, (struct outbox_mark){20, 103}, 4), OUTCOME_OK);
    settle_at(outbox, (struct outbox_mark){30, 90});
    CHECK_INT_EQ(outbox_waiting(outbox), 5);
    settle_at(outbox, (struct outbox_mark){20, 100}); /* the database went back */
    CHECK_INT_EQ(count_files(), 0);
    outbox_close(outbox, 0);
}

static void test_another_journal(void)
{
    new_directory();
    struct outbox *outbox = open_outbox(uuid, 1 << 20);
    CHECK_INT_EQ(prepare(outbox, 10, 1), OUTCOME_OK);
    outbox_close(outbox, 0);
    outbox = open_outbox(other_uuid, 1 << 20);
    CHECK_INT_EQ(count_files(), 0);
    settle(outbox, 100);
    CHECK_INT_EQ(outbox_waiting(outbox), 0);
    outbox_close(outbox, 0);
}

static void test_room(void)
{
    new_directory();
    struct outbox *outbox = open_outbox(uuid, 400);
    settle(outbox, 0);
    CHECK_INT_EQ(prepare(outbox, 10, 100),
                 OUTCOME_OK); /* larger than all, but nothing else is there */
    CHECK_INT_EQ(prepare(outbox, 20, 1), OUTCOME_RETRY);
    CHECK(!outbox_wait_room(outbox, 20));
    outbox_abort(outbox);
    CHECK(outbox_wait_room(outbox, 0));
    CHECK_INT_EQ(prepare(outbox, 20, 1), OUTCOME_OK);
    CHECK_INT_EQ(prepare(outbox, 30, 1), OUTCOME_OK);
    outbox_close(outbox, 0);
}

static void only_file(char *path, size_t size)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(path, size, "%s/%s", directory, entry->d_name);
        }
    }
    closedir(stream);
}

static void write_bytes(const char *path, const char *data, size_t length)
{
    FILE *file = fopen(path, "w");
    fwrite(data, 1, length, file);
    fclose(file);
}

/* At every truncation, and with every byte changed: dropped, never believed, never a crash. */
static void test_damage(void)
{
    new_directory();
    struct outbox *outbox = open_outbox(uuid, 1 << 20);
    CHECK_INT_EQ(prepare(outbox, 10, 3), OUTCOME_OK);
    outbox_close(outbox, 0);
    char path[700];
    struct buf content = {0};
    struct error error;
    only_file(path, sizeof(path));
    CHECK_INT_EQ(file_load(path, 1 << 20, &content, &error), OUTCOME_OK);

    for (size_t i = 0; i < content.length * 2; i++) {
        size_t at = i % content.length;
        bool cut = i < content.length;
        UNIT_CASE("%s at %zu", cut ? "cut" : "changed", at);
        content.data[at] ^= (char) (cut ? 0 : 0x10);
        write_bytes(path, content.data, cut ? at : content.length);
        content.data[at] ^= (char) (cut ? 0 : 0x10);
        outbox = open_outbox(uuid, 1 << 20);
        settle(outbox, 10);
        CHECK_INT_EQ(outbox_waiting(outbox), 0);
        outbox_close(outbox, 0);
        CHECK_INT_EQ(count_files(), 0);
    }
    write_bytes(path, content.data, content.length);
    char other[720];
    snprintf(other, sizeof(other), "%s.tmp", path); /* an interrupted write */
    write_bytes(other, content.data, 20);
    outbox = open_outbox(uuid, 1 << 20);
    settle(outbox, 10);
    CHECK_INT_EQ(outbox_waiting(outbox), 3);
    CHECK_INT_EQ(count_files(), 1);
    outbox_close(outbox, 0);

    snprintf(other, sizeof(other), "%s/00000000000000000009-0000000000.ack", directory);
    CHECK_INT_EQ(rename(path, other), 0); /* a name that lies */
    outbox = open_outbox(uuid, 1 << 20);
    CHECK_INT_EQ(count_files(), 0);
    outbox_close(outbox, 0);
    buf_fini(&content);
}

UNIT_MAIN("outbox", {"known fate", test_known_fate}, {"unknown fate", test_unknown_fate},
          {"same position", test_same_position}, {"another journal", test_another_journal},
          {"room", test_room}, {"damage", test_damage})
