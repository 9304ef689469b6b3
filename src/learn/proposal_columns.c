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
    const char *name;          /* its columns' names begin so: "gps" → gps_lat; or "" */
    const char *prefix;        /* for names that are taken */
    const char *what;          /* what `total` counts: "messages", "rows" */
    const struct shape *rows;  /* the member that is the rule's rows; left out */
    const struct shape *clock; /* the member that is the column "time"; left out */
    uint64_t total;            /* how many there were: 100 % for the notes */
};

static void flatten(struct maker *maker, const struct object *object);

/* The path of a member: "$.name", or "$['odd name']" where the name is no identifier. */
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

/* "$.t :: double precision", "$.ts | unix_ms", and with `required` "$.ts | unix_ms | required": a
 * message without a required value becomes a dead letter. */
static const char *expression_of(struct arena *arena, const char *path, struct shape_type type,
                                 bool required)
{
    const char *tail = required ? " | required" : "";
    if (type.filter != NULL) {
        return arena_printf(arena, "%s | %s%s", path, type.filter, tail).data;
    }
    return arena_printf(arena, "%s%s :: %s", path, tail, type.type).data;
}

/* The comment behind a column: "in 98 % of the messages" when the member is missing in some, the
 * note about its type, or both. NULL: there is nothing to say. */
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

/* Appends the column's name for a member. "%", "" and other names without a letter or digit become
 * "field": nobody would want to type them in a query. */
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

/* Was this the format of the payloads? */
static bool is_format(const struct maker *maker, const char *format)
{
    const char *form = maker->data->form.format;
    return form != NULL && strcmp(form, format) == 0;
}

/* Adds one column, or those of a nested object. InfluxDB's "fields" and "tags" leave no trace in
 * the names: columns are "temperature" and not "fields_temperature". A member that was always null
 * gets a column that is switched off, since its type is not known. */
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

/* Adds the columns of all members but those that are used otherwise. */
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

/* Names of the member that says when the message was made. The best name first: a payload with
 * "ts" and "created" means "ts". */
static const char *const time_names[] = {
    "time",        "ts",       "timestamp",  "datetime",   "date_time",  "t",
    "measured_at", "measured", "sampled_at", "created_at", "created",    "sent_at",
    "event_time",  "tst",      "at",         "date",       "_timestamp", "epoch",
};

/* Would the member's values be stored as timestamptz? */
static bool is_time(const struct shape *member, struct arena *arena)
{
    struct shape_type type = shape_type_of(member, arena);
    return type.type != NULL && strcmp(type.type, "timestamptz") == 0;
}

/* The member with the best of these names whose values are times, or NULL. */
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

/* Adds the column "time", unless the rule has one, and takes its member out of the object. The time
 * is required only when every message had it. */
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

/* @received_at is the column "time" when the payload has no time, else a suggestion that is
 * switched off. */
static void add_received(struct maker *maker)
{
    struct proposed_rule *rule = maker->rule;
    maker_add_column(maker, slice_of(maker->time == NULL ? "time" : "received"), "message",
                     "@received_at", maker->time == NULL ? "the payload has no clock" : NULL);
    rule->columns[rule->column_count - 1].off = maker->time != NULL;
}

/* --- payloads --------------------------------------------------------------------------------- */

/* The member whose elements become rows: the only one that is always an array of objects. NULL when
 * there is none, or when there are several and a person has to choose. */
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

/* One column with the whole payload, for objects that have no columns in common. */
static void add_whole(struct maker *maker)
{
    add_received(maker);
    maker_add_column(maker, slice_of("payload"), "whole", "$ :: jsonb", NULL);
}

/* The object at `path`, as add_time() and flatten() want it. */
static struct object object_of(const struct shape *shape, const char *path)
{
    return (struct object){.shape = shape,
                           .path = path,
                           .name = "",
                           .prefix = "payload",
                           .what = "messages",
                           .total = shape->kinds[VALUE_OBJECT]};
}

/* Each object of the array becomes a row. `outer` is the object that holds the array, whose other
 * members are repeated in each row by "$$"; NULL: the payload itself is the array. */
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

/* Objects and arrays: rows of an array, members as columns, or the whole payload as jsonb when it
 * is sometimes an array, has too many members, or none. */
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

/* Payloads that are one value become the column "value". Numbers among texts get a second column,
 * so that they can be computed with. */
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

/* Payloads of an unknown format are stored as bytea. */
static void add_raw(struct maker *maker)
{
    maker->rule->format = "raw";
    add_received(maker);
    maker_add_column(maker, slice_of("payload"), "whole", "$ :: bytea", NULL);
}

/* Sparkplug B: one row for each metric. Its names and datatypes come from NBIRTH and DBIRTH while
 * the bridge runs, so the columns are the same for every metric. "group" is a word of SQL, hence
 * "grp". */
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

/* Sets `compression` to what the payloads were compressed with. A text format gets "auto", which
 * goes by the first bytes, so that payloads without compression are taken too. */
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

/* For CSV the group of settings that says how its lines are written:
 * csv: { delimiter = ";"; names = ("c1", "c2"); }; */
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

/* A payload that is always empty gets no rule (proposal.c), so FORMAT_EMPTY does not come. */
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
