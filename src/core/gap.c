/*
 * The payload of a gap's record. Integers are little-endian, as everywhere in the journal.
 *
 *   0   8   noticed_at_us
 *   8   8   from_us
 *   16  8   to_us
 *   24  8   messages
 *   32  …   cause, UTF-8, to the end
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/gap.h"

#include <assert.h>

#include "base/bytes.h"

enum { GAP_FIXED_BYTES = 32 };

const char gap_session_lost[] = "broker session lost";
const char gap_session_perhaps_lost[] = "broker session perhaps lost";
const char gap_power_loss[] = "power loss";

struct slice gap_cause_kept(struct slice cause)
{
    static const char *const causes[] = {gap_session_lost, gap_session_perhaps_lost,
                                         gap_power_loss};

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (slice_is(cause, causes[i])) {
            return slice_of(causes[i]);
        }
    }
    return slice_of("");
}

struct message gap_to_message(const struct gap *gap, struct buf *payload)
{
    buf_reset(payload);
    char *at = buf_reserve(payload, GAP_FIXED_BYTES);
    bytes_put_le64(at, (uint64_t) gap->noticed_at_us);
    bytes_put_le64(at + 8, (uint64_t) gap->from_us);
    bytes_put_le64(at + 16, (uint64_t) gap->to_us);
    bytes_put_le64(at + 24, (uint64_t) gap->messages);
    payload->length = GAP_FIXED_BYTES;
    buf_append_slice(payload, gap->cause);
    assert(payload->length == GAP_FIXED_BYTES + gap->cause.length);

    return (struct message){
        .kind = MESSAGE_GAP,
        .received_at_us = gap->noticed_at_us,
        .payload = buf_slice(payload),
    };
}

bool gap_from_message(const struct message *message, struct gap *gap)
{
    struct slice payload = message->payload;
    if (message->kind != MESSAGE_GAP || payload.length < GAP_FIXED_BYTES) {
        return false;
    }
    *gap = (struct gap){
        .noticed_at_us = (int64_t) bytes_get_le64(payload.data),
        .from_us = (int64_t) bytes_get_le64(payload.data + 8),
        .to_us = (int64_t) bytes_get_le64(payload.data + 16),
        .messages = (int64_t) bytes_get_le64(payload.data + 24),
        .cause = slice_make(payload.data + GAP_FIXED_BYTES, payload.length - GAP_FIXED_BYTES),
    };
    return true;
}
