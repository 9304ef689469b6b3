/* SPDX-License-Identifier: MIT */
#include "ack/ack_batch.h"

#include <assert.h>

#include "base/bytes.h"

enum { ACK_FIXED_BYTES = 12, FLAG_STORED = 1, FLAG_RETAIN = 2 };

void ack_batch_append(struct ack_batch *batch, const struct ack *ack)
{
    assert(ack->rule.length <= UINT16_MAX && ack->topic.length <= UINT16_MAX &&
           ack->correlation_data.length <= UINT16_MAX && ack->payload.length <= UINT32_MAX);
    assert(ack->qos <= 2);
    char *at = buf_reserve(&batch->bytes, ACK_FIXED_BYTES);
    at[0] = (char) ((ack->stored ? FLAG_STORED : 0) | (ack->retain ? FLAG_RETAIN : 0));
    at[1] = (char) ack->qos;
    bytes_put_le16(at + 2, (uint16_t) ack->rule.length);
    bytes_put_le16(at + 4, (uint16_t) ack->topic.length);
    bytes_put_le16(at + 6, (uint16_t) ack->correlation_data.length);
    bytes_put_le32(at + 8, (uint32_t) ack->payload.length);
    batch->bytes.length += ACK_FIXED_BYTES;
    buf_append_slice(&batch->bytes, ack->rule);
    buf_append_slice(&batch->bytes, ack->topic);
    buf_append_slice(&batch->bytes, ack->correlation_data);
    buf_append_slice(&batch->bytes, ack->payload);
    batch->count++;
}

void ack_batch_reset(struct ack_batch *batch)
{
    buf_reset(&batch->bytes);
    batch->count = 0;
}

void ack_batch_fini(struct ack_batch *batch)
{
    buf_fini(&batch->bytes);
    batch->count = 0;
}

/* Cuts off the next `length` bytes. The caller has checked that there are that many. */
static struct slice take(struct slice *bytes, size_t length)
{
    assert(length <= bytes->length);
    struct slice taken = slice_make(bytes->data, length);
    *bytes = slice_make(bytes->data + length, bytes->length - length);
    return taken;
}

bool ack_batch_next(struct slice *bytes, struct ack *ack)
{
    if (bytes->length < ACK_FIXED_BYTES) {
        return false;
    }
    const char *at = bytes->data;
    /* `char` is unsigned on ARM: compare as unsigned everywhere. */
    unsigned char flags = (unsigned char) at[0];
    unsigned char qos = (unsigned char) at[1];
    size_t rule = bytes_get_le16(at + 2);
    size_t topic = bytes_get_le16(at + 4);
    size_t correlation = bytes_get_le16(at + 6);
    size_t payload = bytes_get_le32(at + 8);
    bool sound = flags <= (FLAG_STORED | FLAG_RETAIN) && qos <= 2 &&
                 rule + topic + correlation + payload <= bytes->length - ACK_FIXED_BYTES;
    if (!sound) {
        return false;
    }
    *ack = (struct ack){
        .stored = (flags & FLAG_STORED) != 0,
        .retain = (flags & FLAG_RETAIN) != 0,
        .qos = qos,
    };
    take(bytes, ACK_FIXED_BYTES);
    ack->rule = take(bytes, rule);
    ack->topic = take(bytes, topic);
    ack->correlation_data = take(bytes, correlation);
    ack->payload = take(bytes, payload);
    return true;
}
