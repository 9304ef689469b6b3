/*
 * Compression lies around every format, so it is undone here and no decoder knows of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/format.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "decode/decompress.h"

/* "unknown format "jsn" (did you mean json?)", or which there are. */
static void problem_unknown(struct problems *problems, const struct option_text *name)
{
    const char *meant =
        text_suggest(slice_of(name->text), &decoders[0].name, decoder_count, sizeof(decoders[0]));
    struct buf hint = {0};
    if (meant != NULL) {
        buf_printf(&hint, "did you mean %s?", meant);
    }
    for (size_t i = 0; meant == NULL && i < decoder_count; i++) {
        buf_printf(&hint, "%s%s", i == 0 ? "there are " : ", ", decoders[i].name);
    }
    problem_error(problems, name->place, "format", "unknown format \"%s\" (%s)", name->text,
                  buf_string(&hint));
    buf_fini(&hint);
}

struct format *format_new(const struct option_text *name, const struct format_options *options,
                          struct problems *problems)
{
    const struct decoder *decoder =
        decoder_find(slice_of(name->text == NULL ? "json" : name->text));
    struct place place = name->place;
    struct error error;
    if (decoder == NULL) {
        problem_unknown(problems, name);
        return NULL;
    }
    if (options->compression == COMPRESSION_AUTO && !decoder->is_text) {
        problem_error(problems, name->place, "compression",
                      "\"auto\" goes by the first bytes, and a payload of format \"%s\" may begin "
                      "like a compressed one: name the compression",
                      decoder->name);
        return NULL;
    }
    struct format *format = memory_alloc(sizeof(*format));
    format->decoder = decoder;
    format->options = options;
    if (decoder->prepare != NULL &&
        decoder->prepare(options, &format->state, &place, &error) != OUTCOME_OK) {
        problem_error(problems, place.file != NULL ? place : name->place, decoder->name, "%s",
                      error.text);
        format_free(format);
        return NULL;
    }
    return format;
}

void format_free(struct format *format)
{
    if (format != NULL && format->state != NULL && format->decoder->release != NULL) {
        format->decoder->release(format->state);
    }
    free(format);
}

/* Not given and given as "" are not the same: the former is the default. */
static bool same_text(const struct option_text *left, const struct option_text *right)
{
    return left->text == NULL || right->text == NULL ? left->text == right->text
                                                     : strcmp(left->text, right->text) == 0;
}

static bool same_csv(const struct csv_options *left, const struct csv_options *right)
{
    bool same = left->header == right->header && left->name_count == right->name_count &&
                same_text(&left->delimiter, &right->delimiter) &&
                same_text(&left->quote, &right->quote) &&
                same_text(&left->comment, &right->comment);
    for (size_t i = 0; same && i < left->name_count; i++) {
        same = same_text(&left->names[i], &right->names[i]);
    }
    return same;
}

/* All that a document depends on. What Protocol Buffers make of theirs is `state`. */
static bool same_options(const struct format_options *left, const struct format_options *right)
{
    return left->compression == right->compression && left->lenient == right->lenient &&
           left->max_decoded_bytes == right->max_decoded_bytes &&
           left->influx.precision == right->influx.precision &&
           left->sparkplug.cluster == right->sparkplug.cluster && same_csv(&left->csv, &right->csv);
}

bool format_same(const struct format *left, const struct format *right)
{
    if (left->decoder != right->decoder) {
        return false;
    }
    assert(left->options != NULL && right->options != NULL);
    return left->options == right->options || (left->state == NULL && right->state == NULL &&
                                               same_options(left->options, right->options));
}

enum outcome format_open(const struct format *format, const struct decode_input *input,
                         struct arena *arena, struct decode_input *inner, struct error *error)
{
    const struct decompression how = {format->options->compression,
                                      (size_t) format->options->max_decoded_bytes};
    *inner = *input;
    inner->options = format->options;
    inner->state = format->state;
    return how.compression == COMPRESSION_NONE
               ? OUTCOME_OK
               : decompress(how, input->payload, arena, &inner->payload, error);
}

enum outcome format_decode(const struct format *format, const struct decode_input *input,
                           struct arena *arena, const struct node **root, struct error *error)
{
    struct decode_input inner;
    enum outcome outcome = format_open(format, input, arena, &inner, error);
    return outcome == OUTCOME_OK ? format->decoder->decode(&inner, arena, root, error) : outcome;
}

/* What can't be decompressed is learned from as it came: it is damaged, which is worth knowing, or
 * it only looks compressed. */
bool format_learn(const struct format *format, const struct decode_input *input,
                  struct arena *arena, struct memory_entry *entry)
{
    struct decode_input inner;
    struct error error;
    assert(format->decoder->learn != NULL);
    if (format_open(format, input, arena, &inner, &error) != OUTCOME_OK) {
        inner.payload = input->payload;
    }
    return format->decoder->learn(&inner, arena, entry);
}
