/* SPDX-License-Identifier: MIT */
#include "learn/topic_data.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "decode/decode_text.h"

struct topic_data *topic_data_new(void)
{
    struct topic_data *data = memory_alloc(sizeof(*data));
    data->topics = 1;
    data->json = shape_new((struct slice){0});
    data->plain = shape_new((struct slice){0});
    return data;
}

void topic_data_free(struct topic_data *data)
{
    if (data != NULL) {
        shape_free(data->json);
        shape_free(data->plain);
        free(data);
    }
}

void topic_data_check(const struct topic_data *data)
{
    assert(data->topics > 0 && data->retained <= data->messages);
    assert(data->empty + data->trees + data->known + data->scalars + data->texts + data->binary ==
           data->messages);
    assert(data->json->seen == data->trees + data->scalars);
    assert(data->plain->seen <= data->scalars + data->texts);
    shape_check(data->json);
    shape_check(data->plain);
}

/* The payload as format "text" reads it: a number where that is all it holds, else a text. */
static void take_plain(struct topic_data *data, struct slice payload, struct shape_budget *budget,
                       struct arena *scratch)
{
    const struct node *root;
    struct error error;
    const struct decode_input input = {.payload = payload};
    if (decode_text(&input, scratch, &root, &error) == OUTCOME_OK) {
        shape_take(data->plain, root, budget, scratch);
    }
}

/* Did the payload decode to an object or an array? */
static bool is_tree(const struct recognised *found)
{
    return found->root != NULL &&
           (found->root->kind == VALUE_OBJECT || found->root->kind == VALUE_ARRAY);
}

/* Counts a payload that is one value: a JSON scalar, a text, or bytes. */
static void take_single(struct topic_data *data, const struct recognised *found,
                        struct shape_budget *budget, struct arena *scratch)
{
    assert(!is_tree(found));
    if (found->root != NULL) {
        data->scalars++;
        shape_take(data->json, found->root, budget, scratch);
        take_plain(data, found->payload, budget, scratch);
    } else if (text_is_utf8(found->payload) && !text_has_nul(found->payload)) {
        data->texts++;
        take_plain(data, found->payload, budget, scratch);
    } else {
        data->binary++;
    }
}

/* Is this a format whose payloads are only counted? Their meaning is in a descriptor (Protocol
 * Buffers) or in the BIRTH messages (Sparkplug B). */
static bool is_known(const struct payload_form *form)
{
    return form->format != NULL &&
           (strcmp(form->format, "sparkplug_b") == 0 || strcmp(form->format, "protobuf") == 0);
}

void topic_data_take(struct topic_data *data, const struct message *message,
                     struct shape_budget *budget, struct arena *scratch)
{
    data->messages++;
    data->retained += message->retained;
    data->bytes += message->payload.length;
    if (message->payload.length == 0) {
        data->empty++;
        return;
    }
    struct recognised found = recognise(message, scratch);
    bool tree = is_tree(&found);
    bool known = is_known(&found.form);
    /* The first payload decides about the form, until an object or array comes. */
    if (data->trees + data->known == 0 &&
        (tree || known || data->scalars + data->texts + data->binary == 0)) {
        data->form = found.form;
    }
    bool same = payload_form_same(&data->form, &found.form);
    if (known && same) {
        data->known++;
    } else if (tree && same) {
        data->trees++;
        shape_take(data->json, found.root, budget, scratch);
    } else {
        /* An object of another form than the topic's counts as a text or as bytes. */
        found.root = tree ? NULL : found.root;
        take_single(data, &found, budget, scratch);
    }
}

void topic_data_merge(struct topic_data *into, struct topic_data *from)
{
    assert(into != from);
    if (into->trees + into->known == 0 && from->messages > from->empty) {
        into->form = from->form;
    }
    into->topics += from->topics;
    into->messages += from->messages;
    into->retained += from->retained;
    into->bytes += from->bytes;
    into->empty += from->empty;
    into->trees += from->trees;
    into->known += from->known;
    into->scalars += from->scalars;
    into->texts += from->texts;
    into->binary += from->binary;
    shape_merge(into->json, from->json);
    shape_merge(into->plain, from->plain);
    free(from);
}

/* The format of most payloads. Bytes among texts make all of them bytes, because a text column
 * takes no bytes. */
enum topic_format topic_data_format(const struct topic_data *data)
{
    uint64_t others = data->scalars + data->texts + data->binary;
    assert(data->trees + data->known == 0 || data->form.format != NULL);
    if (data->known > 0 && data->known >= others) {
        return strcmp(data->form.format, "protobuf") == 0 ? FORMAT_PROTOBUF : FORMAT_SPARKPLUG;
    }
    if (data->trees > 0 && data->trees >= others) {
        return FORMAT_OBJECTS;
    }
    if (data->trees + others == 0) {
        return FORMAT_EMPTY;
    }
    if (data->binary > 0) {
        return FORMAT_RAW;
    }
    bool json = data->texts == 0 && data->trees == 0;
    return json && !shape_is_only(data->json, VALUE_NUMBER) ? FORMAT_SCALARS : FORMAT_TEXT;
}

/* Counts the members that both objects have, and those that at least one has. */
static void count_members(const struct shape *left, const struct shape *right, size_t *common,
                          size_t *all)
{
    *common = 0;
    *all = right->member_count;
    for (const struct shape *member = left->members; member != NULL; member = member->next) {
        bool shared = shape_member(right, slice_make(member->key, member->key_length)) != NULL;
        *common += shared;
        *all += !shared;
    }
    assert(*common <= *all);
}

/* The object whose members become columns: the root, or the elements of an array at the root. */
static const struct shape *columns_of(const struct shape *root)
{
    return shape_is_only(root, VALUE_ARRAY) && root->elements != NULL ? root->elements : root;
}

bool topic_data_both_objects(const struct topic_data *left, const struct topic_data *right)
{
    return topic_data_format(left) == FORMAT_OBJECTS &&
           topic_data_format(right) == FORMAT_OBJECTS &&
           payload_form_same(&left->form, &right->form);
}

/* Numbers and texts do not stand in one column. Of objects, three quarters of the members are the
 * same when `strict`, else a third. */
bool topic_data_alike(const struct topic_data *left, const struct topic_data *right, bool strict)
{
    enum topic_format format = topic_data_format(left);
    enum topic_format other = topic_data_format(right);
    size_t common;
    size_t all;
    if (format == FORMAT_EMPTY || other == FORMAT_EMPTY) {
        return !strict;
    }
    if (format != other || (format == FORMAT_OBJECTS && !topic_data_both_objects(left, right))) {
        return false;
    }
    if (format != FORMAT_OBJECTS) {
        bool numbers = shape_is_only(left->plain, VALUE_NUMBER);
        return format == FORMAT_RAW || format == FORMAT_PROTOBUF ||
               numbers == shape_is_only(right->plain, VALUE_NUMBER);
    }
    if (shape_is_only(left->json, VALUE_ARRAY) != shape_is_only(right->json, VALUE_ARRAY)) {
        return false;
    }
    count_members(columns_of(left->json), columns_of(right->json), &common, &all);
    return all == 0 || (strict ? common * 4 >= all * 3 : common * 3 >= all);
}
