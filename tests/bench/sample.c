/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define TEMPLATE_START "{\"n\":0000000000,\"ts\":0000000000000000"
#define TEMPLATE_FULL \
    ",\"temperature\":00.00,\"humidity\":00.0,\"battery\":00,\"status\":\"0000000\""
#define TEMPLATE_NOTE ",\"note\":\""
#define TEMPLATE_END "\"}"

enum {
    AT_N = 5,
    AT_TS = 21,
    AT_TEMPERATURE = sizeof(TEMPLATE_START) - 1 + 15,
    AT_HUMIDITY = AT_TEMPERATURE + 17,
    AT_BATTERY = AT_HUMIDITY + 15,
    AT_STATUS = AT_BATTERY + 13,
    STATUS_BYTES = 7,
    DEVICE_BYTES = 7,
};

static const char *const statuses[] = {"running", "stopped", "waiting", "loading"};

const char sample_copy[] =
    "COPY public.telemetry (time, device, n, temperature, humidity, battery, "
    "status) FROM STDIN (FORMAT binary)";

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static void put_digits(char *at, int width, uint64_t number)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char) ('0' + number % 10);
        number /= 10;
    }
}

static bool is_full(const struct sample *sample)
{
    return sample->length >= SAMPLE_FULL_BYTES;
}

static void set_topic(struct sample *sample, const char *topic, size_t device_at)
{
    sample->topic_length = strlen(topic);
    sample->device_at = device_at;
    memcpy(sample->topic, topic, sample->topic_length + 1);
}

void sample_init(struct sample *sample, size_t length, uint32_t topics)
{
    const char *full = length >= SAMPLE_FULL_BYTES ? TEMPLATE_FULL : "";
    size_t frame = strlen(TEMPLATE_START TEMPLATE_NOTE TEMPLATE_END) + strlen(full);
    if (length < SAMPLE_BYTES_MIN || length < frame || topics == 0 || topics > 1000000) {
        die("a payload has at least %d bytes, and there are 1 to 1000000 topics", SAMPLE_BYTES_MIN);
    }
    sample->length = length;
    sample->topics = topics;
    sample->note = length - frame;
    sample->payload = malloc(length + 1);
    if (sample->payload == NULL) {
        die("no memory");
    }
    int head = snprintf(sample->payload, length + 1, "%s%s%s", TEMPLATE_START, full, TEMPLATE_NOTE);
    memset(sample->payload + head, 'x', length - frame);
    memcpy(sample->payload + head + (length - frame), TEMPLATE_END, sizeof(TEMPLATE_END));
    set_topic(sample, "fleet/d000000/telemetry", 6);
    sample_set(sample, 0, 0);
}

void sample_set_topics(struct sample *sample, const char *format)
{
    if (strcmp(format, "sparkplug_b") == 0) {
        set_topic(sample, "spBv1.0/G/NDATA/d000000", 16);
    } else if (strcmp(format, "sparkplug_birth") == 0) {
        set_topic(sample, "spBv1.0/G/NBIRTH/d000000", 17);
    }
}

void sample_fini(struct sample *sample)
{
    free(sample->payload);
    sample->payload = NULL;
}

static unsigned temperature_hundredths(uint64_t number)
{
    return 1000 + (unsigned) (number * 7 % 9000);
}

static unsigned humidity_tenths(uint64_t number)
{
    return 100 + (unsigned) (number * 3 % 900);
}

static unsigned battery_percent(uint64_t number)
{
    return 10 + (unsigned) (number % 90);
}

void sample_set(struct sample *sample, uint64_t number, int64_t time_us)
{
    char *payload = sample->payload;

    put_digits(sample->topic + sample->device_at + 1, DEVICE_BYTES - 1, number % sample->topics);
    put_digits(payload + AT_N, 10, (uint64_t) SAMPLE_BASE + number);
    put_digits(payload + AT_TS, 16, (uint64_t) time_us + (time_us == 0 ? 1000000000000000U : 0));
    if (is_full(sample)) {
        unsigned temperature = temperature_hundredths(number), humidity = humidity_tenths(number);
        put_digits(payload + AT_TEMPERATURE, 2, temperature / 100);
        put_digits(payload + AT_TEMPERATURE + 3, 2, temperature % 100);
        put_digits(payload + AT_HUMIDITY, 2, humidity / 10);
        put_digits(payload + AT_HUMIDITY + 3, 1, humidity % 10);
        put_digits(payload + AT_BATTERY, 2, battery_percent(number));
        memcpy(payload + AT_STATUS, statuses[number % 4], STATUS_BYTES);
    }
}

void sample_row(const struct sample *sample, uint64_t number, int64_t time_us,
                struct sample_row *row)
{
    *row = (struct sample_row){
        .time_us = time_us,
        .device = sample->topic + sample->device_at,
        .device_length = DEVICE_BYTES,
        .n = SAMPLE_BASE + (int64_t) number,
        .temperature = temperature_hundredths(number) / 100.0,
        .humidity = humidity_tenths(number) / 10.0,
        .battery = (int32_t) battery_percent(number),
        .status = statuses[number % 4],
        .status_length = STATUS_BYTES,
    };
}

static char *put_be(char *at, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        at[i] = (char) (value & 0xff);
        value >>= 8;
    }
    return at + bytes;
}

static char *put_field(char *at, uint64_t value, int bytes)
{
    return put_be(put_be(at, (uint64_t) bytes, 4), value, bytes);
}

static char *put_real(char *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return put_field(at, bits, 8);
}

static char *put_text(char *at, const char *text, size_t length)
{
    at = put_be(at, length, 4);
    memcpy(at, text, length);
    return at + length;
}

/* PostgreSQL counts from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

size_t sample_row_encode(char *out, const struct sample_row *row)
{
    char *at = put_be(out, 7, 2);
    at = put_field(at, (uint64_t) (row->time_us - EPOCH_2000_US), 8);
    at = put_text(at, row->device, row->device_length);
    at = put_field(at, (uint64_t) row->n, 8);
    at = put_real(at, row->temperature);
    at = put_real(at, row->humidity);
    at = put_field(at, (uint64_t) row->battery, 4);
    at = put_text(at, row->status, row->status_length);
    return (size_t) (at - out);
}

/* The last bytes of the payload are the note and TEMPLATE_END. */
static const char *note_of(const struct sample *sample)
{
    return sample->payload + sample->length - (sizeof(TEMPLATE_END) - 1) - sample->note;
}

/* How MessagePack and CBOR write what a sample has, each kind with one width. */
struct binary_form {
    unsigned char map, text, long_text, number32, number64, real;
};

static char *put_name(char *at, const struct binary_form *form, const char *name)
{
    size_t length = strlen(name);
    *at = (char) (form->text + length);
    memcpy(at + 1, name, length);
    return at + 1 + length;
}

static char *put_number(char *at, unsigned char head, uint64_t value, int bytes)
{
    *at = (char) head;
    return put_be(at + 1, value, bytes);
}

static char *put_double(char *at, const struct binary_form *form, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return put_number(at, form->real, bits, 8);
}

static size_t write_binary(char *out, const struct sample *sample, const struct binary_form *form,
                           const struct sample_row *row)
{
    char *at = out;
    *at++ = (char) (form->map + 7);
    at = put_number(put_name(at, form, "n"), form->number32, (uint64_t) row->n, 4);
    at = put_number(put_name(at, form, "ts"), form->number64, (uint64_t) row->time_us, 8);
    at = put_double(put_name(at, form, "temperature"), form, row->temperature);
    at = put_double(put_name(at, form, "humidity"), form, row->humidity);
    at = put_number(put_name(at, form, "battery"), form->number32, (uint64_t) row->battery, 4);
    at = put_name(put_name(at, form, "status"), form, row->status);
    at = put_number(put_name(at, form, "note"), form->long_text, sample->note, 2);
    memcpy(at, note_of(sample), sample->note);
    return (size_t) (at - out) + sample->note;
}

/* --- Protocol Buffers and Sparkplug B ---------------------------------------------------------- */

/* What stands in front of a field: its number and its wire type. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };

static char *put_varint(char *at, uint64_t value)
{
    for (; value > 0x7f; value >>= 7) {
        *at++ = (char) (value | 0x80);
    }
    *at = (char) value;
    return at + 1;
}

static char *put_tag(char *at, unsigned number, unsigned wire_type)
{
    return put_varint(at, number << 3 | wire_type);
}

static char *put_fixed64(char *at, unsigned number, double value)
{
    at = put_tag(at, number, FIXED64);
    memcpy(at, &value, sizeof(value)); /* little-endian, as this machine is */
    return at + sizeof(value);
}

static char *put_bytes(char *at, unsigned number, const char *bytes, size_t length)
{
    at = put_varint(put_tag(at, number, BYTES), length);
    memcpy(at, bytes, length);
    return at + length;
}

/* telemetry.proto */
static size_t write_protobuf(char *out, const struct sample *sample, const struct sample_row *row)
{
    char *at = put_varint(put_tag(out, 1, VARINT), (uint64_t) row->n);
    at = put_varint(put_tag(at, 2, VARINT), (uint64_t) row->time_us);
    at = put_fixed64(at, 3, row->temperature);
    at = put_fixed64(at, 4, row->humidity);
    at = put_varint(put_tag(at, 5, VARINT), (uint64_t) row->battery);
    at = put_bytes(at, 6, row->status, row->status_length);
    at = put_bytes(at, 7, note_of(sample), sample->note);
    return (size_t) (at - out);
}

/* Field numbers of a Metric, and the fields of its value. */
enum { METRIC = 2, ALIAS = 2, LONG = 11, DOUBLE = 13, STRING = 15 };

static char *put_metric(char *at, unsigned alias, const char *value, size_t length)
{
    char head[4];
    size_t head_length = (size_t) (put_varint(put_tag(head, ALIAS, VARINT), alias) - head);
    at = put_varint(put_tag(at, METRIC, BYTES), head_length + length);
    memcpy(at, head, head_length);
    memcpy(at + head_length, value, length);
    return at + head_length + length;
}

/* NDATA with an alias for each metric: sample_birth() says which name it is. */
static size_t write_sparkplug(char *out, const struct sample *sample, const struct sample_row *row)
{
    char value[32];
    char *at = put_varint(put_tag(out, 1, VARINT), (uint64_t) row->time_us / 1000);
    const uint64_t integers[] = {(uint64_t) row->n, (uint64_t) row->time_us,
                                 (uint64_t) row->battery};
    for (unsigned i = 0; i < 3; i++) {
        char *end = put_varint(put_tag(value, LONG, VARINT), integers[i]);
        at = put_metric(at, i, value, (size_t) (end - value));
    }
    at = put_metric(at, 3, value, (size_t) (put_fixed64(value, DOUBLE, row->temperature) - value));
    at = put_metric(at, 4, value, (size_t) (put_fixed64(value, DOUBLE, row->humidity) - value));
    char *end = put_bytes(value, STRING, row->status, row->status_length);
    at = put_metric(at, 5, value, (size_t) (end - value));
    at = put_varint(put_tag(at, METRIC, BYTES), sample->note + (sample->note < 128 ? 4 : 5));
    at = put_varint(put_tag(at, ALIAS, VARINT), 6);
    at = put_bytes(at, STRING, note_of(sample), sample->note);
    at = put_varint(put_tag(at, 3, VARINT), (uint64_t) row->n % 128); /* seq */
    return (size_t) (at - out);
}

size_t sample_birth(char *out)
{
    static const struct {
        const char *name;
        char datatype; /* 4 Int64, 10 Double, 12 String */
    } metrics[] = {{"n", 4},         {"ts", 4},      {"battery", 4}, {"temperature", 10},
                   {"humidity", 10}, {"status", 12}, {"note", 12}};
    char *at = put_varint(put_tag(out, 1, VARINT), 1000000000000);
    for (unsigned i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        size_t length = strlen(metrics[i].name);
        at = put_varint(put_tag(at, METRIC, BYTES), length + 6);
        at = put_bytes(at, 1, metrics[i].name, length);
        at = put_varint(put_tag(at, ALIAS, VARINT), i);
        at = put_varint(put_tag(at, 4, VARINT), (uint64_t) metrics[i].datatype);
    }
    at = put_varint(put_tag(at, 3, VARINT), 0);
    return (size_t) (at - out);
}

size_t sample_write(char *out, const struct sample *sample, const char *format, uint64_t number,
                    int64_t time_us)
{
    static const struct binary_form msgpack = {0x80, 0xa0, 0xda, 0xce, 0xcf, 0xcb};
    static const struct binary_form cbor = {0xa0, 0x60, 0x79, 0x1a, 0x1b, 0xfb};
    struct sample_row row;
    sample_row(sample, number, time_us, &row);
    if (strcmp(format, "json") == 0) {
        memcpy(out, sample->payload, sample->length);
        return sample->length;
    }
    if (strcmp(format, "csv") == 0) {
        return (size_t) sprintf(out, "%010" PRId64 ",%016" PRId64 ",%05.2f,%04.1f,%02d,%s,%.*s\n",
                                row.n, row.time_us, row.temperature, row.humidity, row.battery,
                                row.status, (int) sample->note, note_of(sample));
    }
    if (strcmp(format, "influx") == 0) {
        return (size_t) sprintf(out,
                                "telemetry n=%010" PRId64
                                "i,temperature=%05.2f,humidity=%04.1f,battery=%02di,"
                                "status=\"%s\",note=\"%.*s\" %016" PRId64,
                                row.n, row.temperature, row.humidity, row.battery, row.status,
                                (int) sample->note, note_of(sample), row.time_us);
    }
    if (strcmp(format, "msgpack") == 0) {
        return write_binary(out, sample, &msgpack, &row);
    }
    if (strcmp(format, "cbor") == 0) {
        return write_binary(out, sample, &cbor, &row);
    }
    if (strcmp(format, "protobuf") == 0) {
        return write_protobuf(out, sample, &row);
    }
    if (strcmp(format, "sparkplug_b") == 0) {
        return write_sparkplug(out, sample, &row);
    }
    if (strcmp(format, "sparkplug_birth") == 0) {
        return sample_birth(out);
    }
    die("no such format: %s", format);
}

int64_t wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

long peak_kb(void)
{
    char line[256];
    long peak = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            peak = strtol(line + 6, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return peak;
}

const char *option_text(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

int64_t option_number(int argc, char **argv, const char *name, int64_t otherwise)
{
    const char *text = option_text(argc, argv, name, NULL);
    return text == NULL ? otherwise : strtoll(text, NULL, 10);
}
