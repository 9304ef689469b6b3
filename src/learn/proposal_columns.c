/* SPDX-License-Identifier: MIT */
#include "learn/proposal_columns.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "decode/decoder.h"
#include "learn/shape_type.h"

/* An object whose members become columns. */
struct object {
    const struct shape *shape;
    const char *path;          /* "$", "$$.a" */
    const char *name;          /* of what stands before its members' names; "" = nothing */
    const char *prefix;        /* for names that are taken */
    const char *what;          /* of which a share is told: "messages", "rows" */
    const struct shape *rows;  /* the member that is the rule's rows; left out */
    const struct shape *clock; /* the member that is the column "time"; left out */
    uint64_t total;
};

static void flatten(struct maker *maker, const struct object *object);

/* ".name", or "['odd name']" where it is no identifier. */
static const char *path_of(struct arena *arena, const char *parent, const struct shape *member)
{
    if (name_is_plain(member->key) && strlen(member->key) == member->key_length) {
        return arena_printf(arena, "%s.%s", parent, member->key).data;
    }
    struct buf path = {0};
    buf_printf(&path, "%s['", parent);
    for (size_t i = 0; i < member->key_length; i++) {
        unsigned char c = (unsigned char) member->key[i];
        if (c == '\'' || c == '\\') {
            buf_printf(&path, "\\%c", c);
        } else if (c < 0x20) {
            buf_printf(&path, "\\u%04x", c);
        } else {
            buf_append_byte(&path, c);
        }
    }
    buf_append_text(&path, "']");
    const char *result = arena_copy(arena, buf_slice(&path)).data;
    buf_fini(&path);
    return result;
}

static const char *expression_of(struct arena *arena, const char *path, struct shape_type type,
                                 bool required)
{
    const char *tail = required ? " | required" : "";
    if (type.filter != NULL) {
        return arena_printf(arena, "%s | %s%s", path, type.filter, tail).data;
    }
    return arena_printf(arena, "%s%s :: %s", path, tail, type.type).data;
}

/* "in 98 % of the messages", what is to be known about the type, both, or NULL. */
static const char *note_of(struct arena *arena, const struct object *object,
                           const struct shape *member, struct shape_type type)
{
    const char *share = NULL;
    uint64_t there = member->seen - member->kinds[VALUE_NULL];
    if (there < object->total) {
        uint64_t percent = there * 100 / object->total;
        share =
            percent == 0
                ? arena_printf(arena, "in less than 1 %% of the %s", object->what).data
                : arena_printf(arena, "in %" PRIu64 " %% of the %s", percent, object->what).data;
    }
    if (share != NULL && type.note != NULL) {
        return arena_printf(arena, "%s; %s", share, type.note).data;
    }
    return share != NULL ? share : type.note;
}

/* "%", "" and their like have no name that anybody would want to type. */
static void append_name(struct buf *name, const struct shape *member)
{
    struct slice key = slice_make(member->key, member->key_length);
    bool usable = false;
    for (size_t i = 0; i < key.length; i++) {
        unsigned char c = (unsigned char) key.data[i];
        usable |= c >= 0x80 || isalnum(c);
    }
    name_append_snake(name, usable ? key : slice_of("field"));
}

static bool is_format(const struct maker *maker, const char *format)
{
    const char *form = maker->data->form.format;
    return form != NULL && strcmp(form, format) == 0;
}

static void add_member(struct maker *maker, const struct object *object, const struct shape *member)
{
    struct arena *arena = maker->proposal->arena;
    const char *path = path_of(arena, object->path, member);
    struct buf name = {0};
    buf_append_text(&name, object->name);
    append_name(&name, member);
    if (shape_is_only(member, VALUE_OBJECT) && !member->closed && member->member_count > 0) {
        struct object inner = *object;
        inner.shape = member;
        inner.path = path;
        bool point = is_format(maker, "influx") && object->name[0] == '\0';
        inner.name = point ? "" : arena_copy(arena, buf_slice(&name)).data;
        inner.rows = inner.clock = NULL;
        flatten(maker, &inner);
    } else {
        struct shape_type type = shape_type_of(member, arena);
        bool unknown = type.type == NULL;
        const char *note = unknown ? type.note : note_of(arena, object, member, type);
        type.type = unknown ? "text" : type.type;
        maker_add_column(maker, buf_slice(&name), object->prefix,
                         expression_of(arena, path, type, false), note);
        maker->rule->columns[maker->rule->column_count - 1].off = unknown;
    }
    buf_fini(&name);
}

static void flatten(struct maker *maker, const struct object *object)
{
    for (const struct shape *member = object->shape->members; member != NULL;
         member = member->next) {
        if (member != object->rows && member != object->clock) {
            add_member(maker, object, member);
        }
    }
}

/* --- time ------------------------------------------------------------------------------------- */

/* The best name first. */
static const char *const time_names[] = {
    "time",        "ts",       "timestamp",  "datetime",   "date_time",  "t",
    "measured_at", "measured", "sampled_at", "created_at", "created",    "sent_at",
    "event_time",  "tst",      "at",         "date",       "_timestamp", "epoch",
};

static bool is_time(const struct shape *member, struct arena *arena)
{
    struct shape_type type = shape_type_of(member, arena);
    return type.type != NULL && strcmp(type.type, "timestamptz") == 0;
}

static const struct shape *find_clock(const struct shape *shape, struct arena *arena)
{
    for (size_t i = 0; i < sizeof(time_names) / sizeof(time_names[0]); i++) {
        for (const struct shape *member = shape->members; member != NULL; member = member->next) {
            if (strcasecmp(member->key, time_names[i]) == 0 && is_time(member, arena)) {
                return member;
            }
        }
    }
    return NULL;
}

/* Adds the column "time" and takes its member out of the object. */
static void add_time(struct maker *maker, struct object *object)
{
    struct arena *arena = maker->proposal->arena;
    const struct shape *clock = find_clock(object->shape, arena);
    if (clock == NULL || maker->time != NULL) {
        return;
    }
    struct shape_type type = shape_type_of(clock, arena);
    bool always = clock->seen - clock->kinds[VALUE_NULL] == object->total;
    object->clock = clock;
    maker->time =
        maker_add_column(maker, slice_of("time"), object->prefix,
                         expression_of(arena, path_of(arena, object->path, clock), type, always),
                         note_of(arena, object, clock, type));
}

static void add_received(struct maker *maker)
{
    struct proposed_rule *rule = maker->rule;
    maker_add_column(maker, slice_of(maker->time == NULL ? "time" : "received"), "message",
                     "@received_at", maker->time == NULL ? "the payload has no clock" : NULL);
    rule->columns[rule->column_count - 1].off = maker->time != NULL;
}

/* --- payloads --------------------------------------------------------------------------------- */

/* The one member that is always an array of objects; NULL when there is none, or several. */
static const struct shape *find_rows(const struct shape *object)
{
    const struct shape *found = NULL;
    for (const struct shape *member = object->members; member != NULL; member = member->next) {
        if (shape_is_only(member, VALUE_ARRAY) && member->elements != NULL &&
            shape_is_only(member->elements, VALUE_OBJECT) && !member->elements->closed) {
            if (found != NULL) {
                return NULL;
            }
            found = member;
        }
    }
    return found;
}

static void add_whole(struct maker *maker)
{
    add_received(maker);
    maker_add_column(maker, slice_of("payload"), "whole", "$ :: jsonb", NULL);
}

static struct object object_of(const struct shape *shape, const char *path)
{
    return (struct object){.shape = shape,
                           .path = path,
                           .name = "",
                           .prefix = "payload",
                           .what = "messages",
                           .total = shape->kinds[VALUE_OBJECT]};
}

/* Objects in an array: each is a row; `outer` is what stands around them, or NULL. */
static void add_rows(struct maker *maker, const struct shape *array, const struct shape *outer)
{
    struct arena *arena = maker->proposal->arena;
    const char *path = outer == NULL ? "$" : path_of(arena, "$", array);
    struct object row = object_of(array->elements, "$");
    row.what = "rows";
    maker->rule->rows = arena_printf(arena, "%s[*]", path).data;
    add_time(maker, &row);
    if (outer == NULL) {
        add_received(maker);
        flatten(maker, &row);
        return;
    }
    struct object around = object_of(outer, "$$");
    around.prefix = "message";
    around.rows = array;
    add_time(maker, &around);
    add_received(maker);
    flatten(maker, &row);
    flatten(maker, &around);
}

static void add_objects(struct maker *maker)
{
    const struct shape *root = maker->data->json;
    bool array = root->kinds[VALUE_OBJECT] == 0;
    maker->rule->format = maker->data->form.format;
    if (array && root->elements != NULL && shape_is_only(root->elements, VALUE_OBJECT) &&
        !root->elements->closed) {
        add_rows(maker, root, NULL);
        return;
    }
    if (root->closed || root->kinds[VALUE_ARRAY] > 0 || root->member_count == 0) {
        add_whole(maker);
        return;
    }
    const struct shape *rows = find_rows(root);
    if (rows != NULL) {
        add_rows(maker, rows, root);
        return;
    }
    struct object object = object_of(root, "$");
    add_time(maker, &object);
    add_received(maker);
    flatten(maker, &object);
}

static void add_scalar(struct maker *maker, const struct shape *shape)
{
    struct arena *arena = maker->proposal->arena;
    struct shape_type type = shape_type_of(shape, arena);
    type.type = type.type == NULL ? "text" : type.type;
    add_received(maker);
    maker_add_column(maker, slice_of("value"), "payload", expression_of(arena, "$", type, false),
                     type.note);
    if (shape->kinds[VALUE_NUMBER] > 0 && strcmp(type.type, "text") == 0) {
        maker_add_column(maker, slice_of("number"), "value",
                         "$ | extract '^-?[0-9]+([.][0-9]+)?$' :: double precision",
                         "the value where it is a number");
    }
}

static void add_raw(struct maker *maker)
{
    maker->rule->format = "raw";
    add_received(maker);
    maker_add_column(maker, slice_of("payload"), "whole", "$ :: bytea", NULL);
}

/* Names and datatypes come from the BIRTHs, so one table takes every metric. */
static void add_sparkplug(struct maker *maker)
{
    static const char *const columns[][2] = {
        {"time", "$.timestamp | default @received_at"},
        {"grp", "$$.group"},
        {"edge", "$$.edge"},
        {"device", "$$.device | default ''"},
        {"metric", "$.name"},
        {"value", "$.value :: jsonb"},
        {"historical", "$.is_historical :: boolean"},
    };
    maker->rule->format = "sparkplug_b";
    maker->rule->rows = "$.metrics[*]";
    maker->rule->where = "$$.type in ('NBIRTH', 'DBIRTH', 'NDATA', 'DDATA')";
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        maker_add_column(maker, slice_of(columns[i][0]), "metric", columns[i][1], NULL);
    }
    maker_tell(maker, "names come from the BIRTHs: subscribe to whole groups");
}

/* Text formats tell compressed payloads by their first bytes. */
static void add_compression(struct maker *maker)
{
    static const char *const names[] = {NULL, "gzip", "zlib", "zstd", "auto"};
    const struct decoder *decoder = decoder_find(slice_of(maker->rule->format));
    enum compression compression = maker->data->form.compression;
    assert(decoder != NULL && (size_t) compression < sizeof(names) / sizeof(names[0]));
    if (compression != COMPRESSION_NONE) {
        maker->rule->compression =
            names[decoder->is_text ? COMPRESSION_AUTO : (size_t) compression];
    }
}

/* How the lines of CSV are written. */
static void add_details(struct maker *maker)
{
    const struct payload_form *form = &maker->data->form;
    struct buf text = {0};
    if (!is_format(maker, "csv") || strcmp(maker->rule->format, "csv") != 0) {
        return;
    }
    buf_append_text(&text, "csv: { ");
    if (form->delimiter != ',') {
        buf_printf(&text,
                   form->delimiter == '\t' ? "delimiter = \"\\t\"; " : "delimiter = \"%c\"; ",
                   form->delimiter);
    }
    buf_append_text(&text, form->header ? "header = true; " : "names = (");
    for (uint32_t i = 0; i < form->columns; i++) {
        buf_printf(&text, "%s\"c%u\"", i == 0 ? "" : ", ", i + 1);
    }
    buf_append_text(&text, form->header ? "};" : "); };");
    maker->rule->details = arena_copy(maker->proposal->arena, buf_slice(&text)).data;
    buf_fini(&text);
}

void maker_add_payload(struct maker *maker)
{
    switch (topic_data_format(maker->data)) {
    case FORMAT_OBJECTS:
        add_objects(maker);
        break;
    case FORMAT_SPARKPLUG:
        add_sparkplug(maker);
        break;
    case FORMAT_PROTOBUF:
        add_raw(maker);
        maker_tell(maker, "Protocol Buffers need a descriptor: format = \"protobuf\"; protobuf: { "
                          "descriptor = \"FILE.desc\"; message = \"package.Name\"; };");
        break;
    case FORMAT_SCALARS:
        maker->rule->format = "json";
        add_scalar(maker, maker->data->json);
        break;
    case FORMAT_TEXT:
    case FORMAT_EMPTY:
        maker->rule->format = "text";
        add_scalar(maker, maker->data->plain);
        break;
    case FORMAT_RAW:
        add_raw(maker);
        break;
    }
    add_compression(maker);
    add_details(maker);
}
