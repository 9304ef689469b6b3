/*
 * The disk fails under intake. A program of its own, because fault points are read once a process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "mqtt/intake.h"
#include "unit.h"

static int cuts;

static void count_cut(void *context)
{
    (void) context;
    cuts++;
}

static void test_disk_failure(void)
{
#ifdef FAULT_POINTS
    setenv("MQTT2PG_FAULTS", "file.write=fail:EIO@12", 1);
    struct journal_options options = {
        .directory = unit_scratch(), .max_bytes = 256 << 20, .sync_ms = JOURNAL_SYNC_NEVER};
    struct journal *journal;
    struct error error;
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_OK);
    struct intake *intake = intake_new(
        &(struct intake_options){
            .journal = journal, .window = 10, .wait_ms = 5000, .mqtt5 = true, .cut = count_cut},
        0);
    intake_connected(intake, &(struct intake_session){.present = false});
    struct message message = {
        .kind = MESSAGE_PUBLISH, .qos = 1, .packet_id = 1, .topic = slice_of("t")};
    int taken = 0;
    while (taken < 20 && intake_take(intake, &message) == INTAKE_JOURNALED) {
        message.packet_id++;
        taken++;
    }
    CHECK(taken > 0 && taken < 20);
    CHECK_INT_EQ(cuts, 1);
    CHECK(stop_requested());
    CHECK_INT_EQ(stop_exit_code(), 1);
    CHECK_INT_EQ(metric_get(METRIC_MESSAGES_RECEIVED), taken);
    message.packet_id++; /* and nothing after it */
    CHECK_INT_EQ(intake_take(intake, &message), INTAKE_REFUSED);
    intake_free(intake);
    journal_close(journal);
#else
    CHECK(true);
#endif
}

UNIT_MAIN("intake_disk", {"disk failure", test_disk_failure})
