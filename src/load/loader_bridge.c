/* SPDX-License-Identifier: MIT */
#include "load/loader_bridge.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/metrics.h"
#include "pg/bridge_row.h"
#include "pg/pg_clock.h"

enum {
    REFRESH_MS = 5000,
    /* Longer than a batch may take: during a batch the lease is not renewed. */
    LEASE_S = 90,
    HOST_MAX = 256,
};

/* Computes the rates since the row was written last; the first row has none. The figures are read
 * from the metrics for people only: nothing steers by them. */
static void measure(struct bridge_report *report, struct bridge_row *row)
{
    int64_t now_us = clock_monotonic_us();
    int64_t received = metric_get(METRIC_MESSAGES_RECEIVED), rows = 0;
    double seconds = (double) (now_us - report->measured_us) / 1e6;

    for (int rule = 0; metrics_rule_name(rule) != NULL; rule++) {
        rows += metric_rule_get(rule, RULE_METRIC_ROWS);
    }
    if (report->measured_us > 0 && seconds > 0) {
        row->messages_per_second = (double) (received - report->received) / seconds;
        row->rows_per_second = (double) (rows - report->rows) / seconds;
    }
    report->measured_us = now_us;
    report->received = received;
    report->rows = rows;
}

/* Writes the bridge's row with the present state of the process. `lease_s` > 0 makes it a lease:
 * the row is written only when no other process holds a lease that still runs; *ours tells whether
 * it was written. 0: no lease, because the advisory lock is the identity. */
static enum outcome write_row(struct loader *loader, int lease_s, bool *ours,
                              struct pg_failure *failure)
{
    struct journal_info info;
    struct log_problem problem;
    char host[HOST_MAX] = "";

    assert(lease_s >= 0 && ours != NULL);
    (void) gethostname(host, sizeof(host) - 1);
    journal_info(loader->options.journal, &info);
    log_last_problem(&problem);
    struct bridge_row row = {
        .journal = journal_uuid(loader->options.journal),
        .version = metrics_version(),
        .host = host,
        .started_at_us = loader->report.started_us,
        .connected_at_us = loader->report.connected_us,
        .backlog = info.waiting,
        .delay_seconds =
            info.oldest_us != 0 ? (double) (clock_wall_us() - info.oldest_us) / 1e6 : 0,
        .last_error = problem.at_us != 0 ? problem.text : NULL,
        .last_error_at_us = problem.at_us,
    };
    measure(&loader->report, &row);
    loader->report.next_ms = clock_monotonic_ms() + REFRESH_MS;
    return bridge_row_write(loader->connection, &row, lease_s, ours, failure);
}

enum outcome loader_take_lease(struct loader *loader, bool *ours, struct pg_failure *failure)
{
    loader->report.connected_us = clock_wall_us();
    return write_row(loader, LEASE_S, ours, failure);
}

/* Reports to log and health that this machine's clock and the server's differ; to the log once a
 * connection and at each change. A machine without a battery may have a wrong clock after a power
 * loss. */
static void tell_clock(struct loader *loader, bool new_connection)
{
    int64_t before = loader->report.clock_told;
    int64_t ahead = pg_clock_worth_telling(before, pg_clock_ahead_seconds(loader->connection));
    struct buf difference = {0};

    loader->report.clock_told = ahead;
    health_set_clock(ahead);
    metric_set(METRIC_CLOCK_AHEAD_SECONDS, ahead);
    if (ahead != 0 && (new_connection || ahead != before)) {
        health_format_clock(&difference, ahead);
        log_warn("this machine's clock and PostgreSQL's differ: @received_at and times without a "
                 "date are wrong; set the clock (timedatectl)",
                 F_TEXT("clock", buf_string(&difference)));
    } else if (ahead == 0 && before != 0) {
        log_info("this machine's clock and PostgreSQL's agree again");
    }
    buf_fini(&difference);
}

void loader_report_start(struct loader *loader)
{
    loader->report.connected_us = clock_wall_us();
    loader->report.next_ms = 0;
    loader->report.off = false;
    tell_clock(loader, true);
}

void loader_report(struct loader *loader)
{
    struct pg_failure failure = {.message = ""};
    bool pooled = pg_is_pooled(loader->connection);
    bool ours = true;

    if (loader->report.off || clock_monotonic_ms() < loader->report.next_ms) {
        return;
    }
    if (write_row(loader, pooled ? LEASE_S : 0, &ours, &failure) != OUTCOME_OK) {
        /* lock_not_available: another session has locked the row. It is written next time. */
        bool held = strcmp(failure.sqlstate, "55P03") == 0;

        if (!pooled && !held && pg_is_connected(loader->connection)) {
            loader->report.off = true;
            log_warn("the table bridge is not written: monitoring by SQL does not see this bridge",
                     F_TEXT("reason", failure.message));
        }
        return;
    }
    tell_clock(loader, false);
    if (!ours) {
        log_warn("another process stores under this client_id",
                 F_TEXT("client_id", pg_client_id(loader->connection)));
        loader_disconnect(loader, "another process stores under this client_id");
    }
}
