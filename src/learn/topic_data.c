/* SPDX-License-Identifier: MIT */
#include "learn/topic_data.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "decode/decode_text.h"
#include "decode/json_scan.h"

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

void topic_data_take(struct topic_data *data, struct slice payload, bool retained,
                     struct shape_budget *budget, struct arena *scratch)
{
    const struct node *root;
    struct error error;
    data->messages++;
    data->retained += retained;
    data->bytes += payload.length;
    if (payload.length == 0) {
        data->empty++;
    } else if (json_scan(payload, scratch, &root, &error) == OUTCOME_OK) {
        bool tree = root->kind == VALUE_OBJECT || root->kind == VALUE_ARRAY;
        data->trees += tree;
        data->scalars += !tree;
        shape_take(data->json, root, budget, scratch);
        if (!tree) {
            take_plain(data, payload, budget, scratch);
        }
    } else if (text_is_utf8(payload) && !text_has_nul(payload)) {
        data->texts++;
        take_plain(data, payload, budget, scratch);
    } else {
        data->binary++;
    }
}

void topic_data_merge(struct topic_data *into, struct topic_data *from)
{
    into->topics += from->topics;
    into->messages += from->messages;
    into->retained += from->retained;
    into->bytes += from->bytes;
    into->empty += from->empty;
    into->trees += from->trees;
    into->scalars += from->scalars;
    into->texts += from->texts;
    into->binary += from->binary;
    shape_merge(into->json, from->json);
    shape_merge(into->plain, from->plain);
    free(from);
}

enum topic_format topic_data_format(const struct topic_data *data)
{
    uint64_t others = data->scalars + data->texts + data->binary;
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

/* Members that both have, and that either has. */
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
}

/* The object whose members become columns: the root, or the elements of an array at the root. */
static const struct shape *columns_of(const struct shape *root)
{
    return shape_is_only(root, VALUE_ARRAY) && root->elements != NULL ? root->elements : root;
}

bool topic_data_alike(const struct topic_data *left, const struct topic_data *right, bool strict)
{
    enum topic_format format = topic_data_format(left);
    enum topic_format other = topic_data_format(right);
    size_t common;
    size_t all;
    if (format == FORMAT_EMPTY || other == FORMAT_EMPTY) {
        return !strict;
    }
    if (format != other) {
        return false;
    }
    if (format != FORMAT_OBJECTS) {
        bool numbers = shape_is_only(left->plain, VALUE_NUMBER);
        return format == FORMAT_RAW || numbers == shape_is_only(right->plain, VALUE_NUMBER);
    }
    if (shape_is_only(left->json, VALUE_ARRAY) != shape_is_only(right->json, VALUE_ARRAY)) {
        return false;
    }
    count_members(columns_of(left->json), columns_of(right->json), &common, &all);
    return all == 0 || (strict ? common * 4 >= all * 3 : common * 3 >= all);
}
