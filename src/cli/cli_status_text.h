/*
 * cli_status_text: an answer of the service to `mqtt2pg status`, in text for people. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_CLI_STATUS_TEXT_H
#define MQTT2PG_CLI_CLI_STATUS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/document.h"

struct status_options {
    bool json;
    bool watch;
    bool terminal;
    bool colour;
};

/* One answer of the service. */
struct status_answer {
    struct buf body;
    struct arena *arena;
    const struct node *root; /* borrows body and arena; NULL: none yet */
    int64_t at_ms;           /* monotonic */
};

/* Rates are what happened since the answer `before`, which may have no root: then there are none. */
void status_append_text(struct buf *out, const struct status_options *options,
                        const struct status_answer *now, const struct status_answer *before);

#endif
