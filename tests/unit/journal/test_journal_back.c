/*
 * The database goes back while the keeper is about to delete what was stored: a fault point makes
 * the moment long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "unit.h"

enum { BYTES = 1000, STEP_US = 2000, REST_US = 200000 };

/* Is the keeper on its way to delete something? */
static bool keeps_deliveries(struct journal *journal)
{
    struct journal_delivery *deliveries;
    size_t count = journal_deliveries(journal, UINT64_MAX, &deliveries);
    free(deliveries);
    return count > 0;
}

static void test_not_deleted(void)
{
    setenv("MQTT2PG_FAULTS", "journal.deliveries.kept=delay:2500@1", 1);
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    uint64_t n = 0;
    options.max_bytes = MB;
    options.keep_ms = 0;
    options.keep_messages = 100000; /* so that something stays of what is deleted */
    struct journal *journal = fixture_open(&options);
    while (fixture_append(journal, n + 1, BYTES, NULL) == OUTCOME_OK) {
        n++;
    }
    CHECK(n > 500);

    journal_set_stored(journal, n); /* the keeper makes room now */
    while (!keeps_deliveries(journal)) {
        usleep(STEP_US);
    }
    journal_set_stored(journal, 0);
    usleep(2500000 + REST_US);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.first, 1);
    CHECK_INT_EQ(info.waiting, n);
    CHECK(fixture_whole(fixture_read_from(journal, 1), n));

    /* Nothing stays undone: stored again, it goes. */
    journal_set_stored(journal, n);
    CHECK(journal_wait_room(journal, 10000));
    CHECK_INT_EQ(fixture_append(journal, n + 1, BYTES, NULL), OUTCOME_OK);
    journal_close(journal);
}

UNIT_MAIN("journal_back", {"not deleted", test_not_deleted})
