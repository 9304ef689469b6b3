/*
 * format_options: a rule's settings for the format of its payloads, without the format's name.
 *
 * config/ fills it, decode/ reads it. All pointers are owned by the configuration and live as long
 * as it does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_FORMAT_OPTIONS_H
#define MQTT2PG_CORE_FORMAT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problems.h"

/* A text and where it stands; `text` is NULL when it was not given. */
struct option_text {
    const char *text;
    struct place place;
};

enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_ZLIB,
    COMPRESSION_ZSTD,
    COMPRESSION_AUTO, /* gzip, zlib and zstd by their first bytes; anything else is as it is */
};

/* The group `csv` of a rule. */
struct csv_options {
    struct option_text delimiter; /* one ASCII character */
    struct option_text quote;     /* one ASCII character, or none */
    struct option_text comment;   /* a line that begins so is left out; "" = none do */
    bool header;                  /* the first line has the names of the columns */
    struct option_text *names;    /* of the columns; NULL: from the header, or none */
    size_t name_count;
};

/* The unit of timestamps in the payload. The order is that of the setting's choices. */
enum time_precision { PRECISION_NS, PRECISION_US, PRECISION_MS, PRECISION_S };

struct influx_options {
    enum time_precision precision;
};

struct protobuf_options {
    const char *descriptor;     /* path of a FileDescriptorSet; NULL = not given */
    struct option_text message; /* "package.Name" */
};

/* When an edge node is asked for a new BIRTH. */
enum rebirth_policy {
    REBIRTH_NEVER,
    REBIRTH_UNKNOWN, /* ask an edge node whose metrics are unknown */
    REBIRTH_GAP,     /* and one whose sequence numbers have a hole */
};

struct sparkplug_options {
    enum rebirth_policy rebirth;
    bool cluster; /* the brokers of broker.url are one: a BIRTH of any counts for all */
};

struct format_options {
    enum compression compression;
    bool lenient;              /* JSON with a name twice, NaN and Infinity */
    int64_t max_decoded_bytes; /* the largest size of a decompressed payload */
    struct csv_options csv;
    struct influx_options influx;
    struct protobuf_options protobuf;
    struct sparkplug_options sparkplug;
};

#endif
