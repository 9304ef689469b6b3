/*
 * sample: the one message that every contestant gets, and the row that it becomes.
 *
 *   topic     fleet/d000123/telemetry
 *   payload   {"n":1000000123,"ts":1764000000000000,"temperature":21.53,"humidity":45.2,"battery":87,
 *              "status":"running","note":"xxxx…"}
 *
 * All fields have a fixed width, so that a message is a copy of a template with some digits
 * patched: making one costs next to nothing. A payload below SAMPLE_FULL_BYTES has only n, ts and
 * note.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BENCH_SAMPLE_H
#define MQTT2PG_BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLE_BASE INT64_C(1000000000) /* n of message 0 */
#define SAMPLE_BYTES_MIN 50
#define SAMPLE_FULL_BYTES 130
#define SAMPLE_TOPIC_BYTES 23

struct sample {
    char *payload; /* owned; `length` bytes, valid JSON at any time */
    size_t length;
    size_t note; /* bytes of the member "note" */
    char topic[SAMPLE_TOPIC_BYTES + 8];
    size_t topic_length;
    size_t device_at; /* in the topic */
    uint32_t topics;  /* how many different ones */
};

/* Ends the program with a message when `length` is too small. */
void sample_init(struct sample *sample, size_t length, uint32_t topics);
void sample_fini(struct sample *sample);

/* The topics of `format` instead: spBv1.0/G/NDATA/d000123 and spBv1.0/G/NBIRTH/d000123 of
 * "sparkplug_b" and "sparkplug_birth"; nothing for other formats. */
void sample_set_topics(struct sample *sample, const char *format);

/* Makes it message `number`, made at `time_us` (since 1970). */
void sample_set(struct sample *sample, uint64_t number, int64_t time_us);

/* The seven columns of a full sample. */
struct sample_row {
    int64_t time_us; /* since 1970 */
    const char *device;
    size_t device_length;
    int64_t n;
    double temperature;
    double humidity;
    int32_t battery;
    const char *status;
    size_t status_length;
};

void sample_row(const struct sample *sample, uint64_t number, int64_t time_us,
                struct sample_row *row);

/* The row in COPY's binary form, at most SAMPLE_ROW_BYTES; returns its length. */
#define SAMPLE_ROW_BYTES 256
size_t sample_row_encode(char *out, const struct sample_row *row);

/* The content of sample `number` in another format ("csv", "influx", "msgpack", "cbor", "protobuf",
 * "sparkplug_b", "sparkplug_birth"; for "json" the payload as it is), at most the payload's length +
 * SAMPLE_FORMAT_BYTES; returns its length, which is the same for all numbers with times of today.
 * Ends the program for an unknown format. */
#define SAMPLE_FORMAT_BYTES 128
size_t sample_write(char *out, const struct sample *sample, const char *format, uint64_t number,
                    int64_t time_us);

/* The NBIRTH that names the metrics of "sparkplug_b"; at most SAMPLE_FORMAT_BYTES. */
size_t sample_birth(char *out);

/* Header and trailer of COPY BINARY. */
#define COPY_HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define COPY_HEADER_BYTES 19
#define COPY_TRAILER "\377\377"
#define COPY_TRAILER_BYTES 2

/* Where the rows go: "COPY public.telemetry (…) FROM STDIN (FORMAT binary)". */
extern const char sample_copy[];

/* Microseconds since 1970. */
int64_t wall_us(void);

/* What this process has used so far: seconds of CPU, and the most memory in KiB (VmHWM). */
double cpu_seconds(void);
long peak_kb(void);

/* The value behind "--name" among the arguments, or `otherwise`. */
const char *option_text(int argc, char **argv, const char *name, const char *otherwise);
int64_t option_number(int argc, char **argv, const char *name, int64_t otherwise);

/* Says why on standard error and ends the program. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
