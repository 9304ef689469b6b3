/* SPDX-License-Identifier: MIT */
#include "base/json_out.h"

#include <assert.h>
#include <math.h>

#include "base/text.h"

/* A comma is due unless the last byte has just opened a container. */
void json_out_comma(struct buf *out)
{
    char last = out->length == 0 ? '{' : out->data[out->length - 1];

    assert(last != ':'); /* a key without its value */

    if (last != '{' && last != '[') {
        buf_append_byte(out, ',');
    }
}

void json_out_key(struct buf *out, const char *key)
{
    json_out_comma(out);
    text_append_json(out, slice_of(key));
    buf_append_byte(out, ':');
}

void json_out_text(struct buf *out, const char *key, const char *value)
{
    json_out_key(out, key);
    text_append_json(out, slice_of(value));
}

void json_out_bool(struct buf *out, const char *key, bool value)
{
    json_out_key(out, key);
    buf_append_text(out, value ? "true" : "false");
}

void json_out_int(struct buf *out, const char *key, int64_t value)
{
    json_out_key(out, key);
    buf_printf(out, "%lld", (long long) value);
}

/* JSON has neither NaN nor infinity: null. */
void json_out_real(struct buf *out, double value)
{
    if (isfinite(value)) {
        buf_printf(out, "%.6g", value);
    } else {
        buf_append_text(out, "null");
    }
}

/* 0 means that there was no such moment: null. */
void json_out_time(struct buf *out, const char *key, int64_t microseconds)
{
    json_out_key(out, key);
    if (microseconds == 0) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '"');
    text_format_time(out, microseconds);
    buf_append_byte(out, '"');
}

/* A negative value means "not known": null. */
void json_out_known(struct buf *out, const char *key, int64_t value)
{
    json_out_key(out, key);
    if (value < 0) {
        buf_append_text(out, "null");
    } else {
        buf_printf(out, "%lld", (long long) value);
    }
}

/* The caller closes it. */
void json_out_open(struct buf *out, const char *key, char bracket)
{
    assert(bracket == '{' || bracket == '[');
    json_out_key(out, key);
    buf_append_byte(out, (uint8_t) bracket);
}
