/*
 * status_json: the answer of /status.json, for the status page, `mqtt2pg status` and other
 * programs.
 *
 *   version, started_at, now (RFC 3339, UTC), uptime_seconds, ready
 *   summary        {level, headline, detail}: the state in one sentence (admin/summary); level is
 *                  good, starting, warn or bad
 *   health         broker, database, journal: {well, paused, since, text}; paused: not well because
 *                  the journal has no room
 *   counters       every metric without labels, by its name without mqtt2pg_
 *   journal        {messages, messages_at_start, bytes, oldest_seconds}
 *   acks_waiting
 *   rates          {window_seconds, received, processed, rows}: per second, over the last ten
 *   delay, commit  {window_seconds, count, p50, p95, p99}: seconds, over the last minute; null
 *                  without any
 *   rules          [{name, topic, table, matched, stored, filtered, rejected, rows, acks_stored,
 *                  acks_rejected, rejected_last_hour, parked, not_taken, not_taken_count,
 *                  last_reject}]; parked is null or {since, reason, messages}; not_taken names the
 *                  first of the not_taken_count keys of its payloads that no column takes
 *   rejects        [{at, rule, topic, reason, payload}], newest first; payload only while
 *                  http.show_payloads says so
 *   gaps_open, gaps  how many nobody has acknowledged, and the newest of them, newest first:
 *                  [{id, noticed_at, cause, from, to, messages}]; null for what is not known
 *   dead_letters_waiting  rejected ones in the database; null: not known
 *   clock_ahead_seconds  of PostgreSQL's clock; negative: behind; 0: no difference above a minute
 *                  is known
 *   unmatched      null, or {at, topic, messages}: the newest topic that no rule takes, and how
 *                  many messages no rule took since the start
 *   history        {interval_seconds, taken, received, processed, rows, waiting, delay_seconds}:
 *                  arrays, oldest first; the last element of each is sample number `taken`
 *   actions        null: off; else {token}: whether actions (admin/http_actions) want a token
 *   configuration  as the bridge gives it, without secrets
 *
 * Members may be added, never renamed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_STATUS_JSON_H
#define MQTT2PG_ADMIN_STATUS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/history.h"
#include "admin/http_server.h"
#include "base/buf.h"

struct status_request {
    const struct http_sources *sources; /* its functions may be NULL */
    struct history *history;
    int64_t started_us; /* wall clock */
    size_t history_max; /* at most so many samples */
    int64_t started_ms; /* monotonic */
    bool actions;       /* the page may act */
    bool token_wanted;  /* and needs a token for it */
};

/* Asks sources->refresh first. One line, without its newline. */
void status_append_json(struct buf *out, const struct status_request *request);

/* Are broker, database and journal well? Appends to `out`, which may be NULL, a line for each that
 * is not: "database: not ready since 2026-11-23T03:29:30.123456Z: connection refused". */
bool status_is_ready(struct buf *out);

#endif
