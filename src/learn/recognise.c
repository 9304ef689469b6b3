/* SPDX-License-Identifier: MIT */
#include "learn/recognise.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "core/property.h"
#include "decode/decoder.h"
#include "decode/decompress.h"
#include "decode/json_scan.h"
#include "decode/protobuf_wire.h"
#include "decode/sparkplug_topic.h"

/* How much a compressed payload may hold, against bombs; and how many columns CSV may have. */
enum { DECODED_BYTES_MAX = 8 << 20, CSV_COLUMNS_MAX = 100 };

/* What is taken for Protocol Buffers: shorter payloads and larger numbers are too often chance. */
enum { MESSAGE_BYTES_MIN = 6, FIELD_NUMBER_MAX = 100 };

/* Content types of MQTT 5 and the decoder that each means. */
static const struct {
    const char *content_type;
    const char *format;
} content_types[] = {
    {"application/json", "json"},
    {"application/cbor", "cbor"},
    {"application/msgpack", "msgpack"},
    {"application/x-msgpack", "msgpack"},
    {"application/vnd.msgpack", "msgpack"},
    {"text/csv", "csv"},
    {"application/protobuf", "protobuf"},
    {"application/x-protobuf", "protobuf"},
    {"application/vnd.google.protobuf", "protobuf"},
};

bool payload_form_same(const struct payload_form *left, const struct payload_form *right)
{
    bool same_format = left->format == NULL || right->format == NULL
                           ? left->format == right->format
                           : strcmp(left->format, right->format) == 0;
    return same_format && left->compression == right->compression &&
           left->delimiter == right->delimiter && left->header == right->header &&
           left->columns == right->columns;
}

/* The format that the message's content type names; NULL when it names none that we know.
 * Parameters (";charset=utf-8") are ignored. */
static const char *named_format(const struct message *message)
{
    struct property_item item;
    if (!property_find(message->properties, PROPERTY_CONTENT_TYPE, &item)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(content_types) / sizeof(content_types[0]); i++) {
        size_t length = strlen(content_types[i].content_type);
        if (item.value.length >= length &&
            strncasecmp(item.value.data, content_types[i].content_type, length) == 0 &&
            (item.value.length == length || strchr("; ", item.value.data[length]) != NULL)) {
            return content_types[i].format;
        }
    }
    return NULL;
}

/* --- compression ------------------------------------------------------------------------------ */

/* The compression that the first bytes stand for: 1F 8B gzip, 28 B5 2F FD zstd, 78 zlib. A text
 * that begins with "x" looks like zlib too, so the payload still has to be decompressed for
 * certainty. */
static enum compression compression_of(struct slice payload)
{
    static const char zstd[] = "\x28\xb5\x2f\xfd";
    if (payload.length >= 4 && memcmp(payload.data, zstd, 4) == 0) {
        return COMPRESSION_ZSTD;
    }
    if (payload.length >= 2 && memcmp(payload.data, "\x1f\x8b", 2) == 0) {
        return COMPRESSION_GZIP;
    }
    return payload.length >= 2 && payload.data[0] == 'x' ? COMPRESSION_ZLIB : COMPRESSION_NONE;
}

/* Decompresses the payload. One that only looks compressed stays as it is. */
static void unpack(struct recognised *found, struct arena *arena)
{
    enum compression compression = compression_of(found->payload);
    struct slice plain;
    struct error error;
    if (compression != COMPRESSION_NONE &&
        decompress((struct decompression){compression, DECODED_BYTES_MAX}, found->payload, arena,
                   &plain, &error) == OUTCOME_OK) {
        found->payload = plain;
        found->form.compression = compression;
    }
}

/* --- trying ----------------------------------------------------------------------------------- */

/* Is it an object or array with something in it? Two bytes of noise decode to an empty one
 * easily. */
static bool is_filled(const struct node *root)
{
    return (root->kind == VALUE_OBJECT || root->kind == VALUE_ARRAY) && root->count > 0;
}

/* Is the whole payload a filled object or array in this format? */
static bool try_format(struct recognised *found, const char *format, struct arena *arena)
{
    const struct decoder *decoder = decoder_find(slice_of(format));
    const struct decode_input input = {.payload = found->payload,
                                       .options = &(struct format_options){0}};
    const struct node *root;
    struct error error;
    assert(decoder != NULL);
    if (decoder->decode(&input, arena, &root, &error) != OUTCOME_OK || root == NULL ||
        !is_filled(root)) {
        return false;
    }
    found->root = root;
    found->form.format = decoder->name;
    return true;
}

/* "c1", "c2", … for lines without a header. */
static struct option_text *numbered_names(uint32_t count, struct arena *arena)
{
    assert(count > 0 && count <= CSV_COLUMNS_MAX);
    struct option_text *names = arena_alloc(arena, count * sizeof(*names));
    for (uint32_t i = 0; i < count; i++) {
        names[i] = (struct option_text){.text = arena_printf(arena, "c%u", i + 1).data};
    }
    return names;
}

/* Does one value of the row look like a number? The CSV decoder returns every value as a text. A
 * first row without a number, above rows with numbers, is a header. */
static bool row_has_number(const struct node *row)
{
    const struct node *value = row + 1;
    bool found = false;
    for (uint32_t i = 0; i < row->count; i++, value += value->span) {
        found |= value->kind == VALUE_TEXT && json_is_number(value->text);
    }
    return found;
}

/* A copy of the document in which texts that look like numbers are numbers, so that their columns
 * get a number's type. */
static const struct node *with_numbers(const struct node *root, struct arena *arena)
{
    struct node *copy = arena_alloc(arena, root->span * sizeof(*copy));
    assert(root->span > 0);
    memcpy(copy, root, root->span * sizeof(*copy));
    for (uint32_t i = 0; i < root->span; i++) {
        if (copy[i].kind == VALUE_TEXT && json_is_number(copy[i].text)) {
            copy[i].kind = VALUE_NUMBER;
        }
    }
    return copy;
}

/* Decodes the payload as CSV: an array of rows. NULL: it is no CSV. */
static const struct node *decode_lines(struct slice payload, const struct format_options *options,
                                       struct arena *arena)
{
    const struct decoder *decoder = decoder_find(slice_of("csv"));
    const struct place nowhere = {0};
    struct place place = nowhere;
    struct error error;
    const struct node *root = NULL;
    void *state = NULL;
    assert(decoder != NULL);
    if (decoder->prepare(options, &state, &place, &error) != OUTCOME_OK) {
        return NULL;
    }
    const struct decode_input input = {.payload = payload, .options = options, .state = state};
    enum outcome outcome = decoder->decode(&input, arena, &root, &error);
    if (decoder->release != NULL) {
        decoder->release(state);
    }
    return outcome == OUTCOME_OK && root != NULL && is_filled(root) ? root : NULL;
}

/* Is the payload CSV with this delimiter? `sure` says that its content type is CSV. Otherwise a
 * text with commas is more likely a sentence, so numbers are required. */
static bool try_csv(struct recognised *found, const char *delimiter, bool sure, struct arena *arena)
{
    struct format_options options = {.csv = {.delimiter = {.text = delimiter}}};
    const struct node *rows = decode_lines(found->payload, &options, arena);
    uint32_t columns = rows == NULL ? 0 : rows[1].count;
    if (columns < 2 || columns > CSV_COLUMNS_MAX || (!sure && columns == 2 && rows->count == 1)) {
        return false;
    }
    assert(rows != NULL && rows->count > 0); /* it has columns */
    bool first = row_has_number(&rows[1]);
    bool later = false;
    const struct node *row = &rows[1];
    for (uint32_t i = 0; i < rows->count; i++, row += row->span) {
        later |= i > 0 && row_has_number(row);
    }
    if (!sure && !first && !later) {
        return false;
    }
    options.csv.header = !first && later;
    if (!options.csv.header) {
        options.csv.names = numbered_names(columns, arena);
        options.csv.name_count = columns;
    }
    rows = decode_lines(found->payload, &options, arena);
    if (rows == NULL) {
        return false;
    }
    found->root = with_numbers(rows, arena);
    found->form.format = "csv";
    found->form.delimiter = delimiter[0];
    found->form.header = options.csv.header;
    found->form.columns = options.csv.header ? 0 : columns;
    return true;
}

/* The comma comes last: it also stands in numbers and in sentences of a CSV with semicolons. */
static bool try_delimiters(struct recognised *found, bool sure, struct arena *arena)
{
    return try_csv(found, ";", sure, arena) || try_csv(found, "\t", sure, arena) ||
           try_csv(found, "|", sure, arena) || try_csv(found, ",", sure, arena);
}

/* Could the bytes be a message of Protocol Buffers? Nothing says so for certain: the fields must
 * end where the payload does, there are two at least, and their numbers are small. */
static bool could_be_protobuf(struct slice payload)
{
    struct wire wire = wire_begin(payload);
    struct wire_field field;
    unsigned fields = 0;
    bool small = true;
    for (; wire_next(&wire, &field); fields++) {
        small = small && field.number <= FIELD_NUMBER_MAX;
    }
    return wire.wrong == NULL && fields >= 2 && small && payload.length >= MESSAGE_BYTES_MIN;
}

/* JSON comes first, because nothing else looks like it. Valid UTF-8 is never tried as MessagePack
 * or CBOR: both accept many short texts. */
static bool try_all(struct recognised *found, struct arena *arena)
{
    struct error error;
    if (json_scan(found->payload, arena, &found->root, &error) == OUTCOME_OK) {
        found->form.format = "json";
        return true;
    }
    found->root = NULL;
    if (text_is_utf8(found->payload) && !text_has_nul(found->payload)) {
        return try_format(found, "influx", arena) || try_delimiters(found, false, arena);
    }
    if (try_format(found, "msgpack", arena) || try_format(found, "cbor", arena)) {
        return true;
    }
    found->form.format = could_be_protobuf(found->payload) ? "protobuf" : NULL;
    return found->form.format != NULL;
}

struct recognised recognise(const struct message *message, struct arena *arena)
{
    struct recognised found = {.payload = message->payload};
    struct sparkplug_topic topic;
    if (found.payload.length == 0) {
        return found;
    }
    unpack(&found, arena);
    assert(found.root == NULL && found.form.format == NULL);
    const char *named = named_format(message);
    if (sparkplug_topic_parse(message->topic, &topic)) {
        found.form.format = "sparkplug_b";
    } else if (named != NULL && strcmp(named, "protobuf") == 0) {
        found.form.format = named;
    } else if (named == NULL || !(strcmp(named, "csv") == 0 ? try_delimiters(&found, true, arena)
                                                            : try_format(&found, named, arena))) {
        try_all(&found, arena);
    }
    return found;
}
