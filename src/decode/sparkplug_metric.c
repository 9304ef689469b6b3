/*
 * The field numbers are those of org.eclipse.tahu.protobuf (Sparkplug 3.0).
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/sparkplug_metric.h"

#include "base/text.h"
#include "decode/sparkplug_dataset.h"
#include "decode/sparkplug_value.h"

enum { METRIC_NAME = 1, METRIC_ALIAS, METRIC_TIMESTAMP, METRIC_DATATYPE, METRIC_HISTORICAL };
enum { METRIC_TRANSIENT = 6, METRIC_NULL, METRIC_METADATA, METRIC_PROPERTIES, METRIC_VALUE };
enum { SET_KEYS = 1, SET_VALUES };
enum { PROPERTY_TYPE = 1, PROPERTY_NULL, PROPERTY_VALUE };
enum { TEMPLATE_VERSION = 1, TEMPLATE_METRICS, TEMPLATE_PARAMETERS, TEMPLATE_REF };
enum { TEMPLATE_DEFINITION = 5 };
enum { PARAMETER_NAME = 1, PARAMETER_TYPE, PARAMETER_VALUE };

static bool write_template(struct binary *binary, struct slice bytes, struct slice key);

/* --- a metric --------------------------------------------------------------------------------- */

/* The fields of a Metric that are varints. A field that comes twice counts as it came last. */
static void take_number(struct sparkplug_metric *metric, const struct wire_field *field)
{
    switch (field->number) {
    case METRIC_ALIAS:
        metric->alias = field->integer;
        metric->has_alias = true;
        break;
    case METRIC_TIMESTAMP:
        metric->timestamp = field->integer;
        metric->has_timestamp = true;
        break;
    case METRIC_DATATYPE:
        metric->datatype = (uint32_t) field->integer;
        metric->has_datatype = true;
        break;
    case METRIC_HISTORICAL:
        metric->historical = field->integer != 0;
        break;
    case METRIC_TRANSIENT:
        metric->transient = field->integer != 0;
        break;
    case METRIC_NULL:
        metric->null = field->integer != 0;
        break;
    default:
        break;
    }
}

/* Fields may come in any order; metadata and extensions are passed over. */
bool sparkplug_metric_read(struct binary *binary, struct slice bytes,
                           struct sparkplug_metric *metric)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    *metric = (struct sparkplug_metric){.start = wire.at, .value.kind = SPB_VALUE_NONE};
    while (wire_next(&wire, &field)) {
        if (field.number >= METRIC_VALUE) {
            sparkplug_value_take(&metric->value, &field, METRIC_VALUE);
        } else if (field.type == WIRE_VARINT) {
            take_number(metric, &field);
        } else if (field.number == METRIC_NAME && field.type == WIRE_BYTES) {
            metric->name = field.bytes;
            metric->has_name = true;
        } else if (field.number == METRIC_PROPERTIES && field.type == WIRE_BYTES) {
            metric->properties = field.bytes;
            metric->has_properties = true;
        }
    }
    return sparkplug_wire_end(binary, &wire) &&
           (!metric->has_name || binary_check_text(binary, metric->name));
}

/* By name, "Int32"; a number that names none is kept as a number, and null says that none came. */
static bool write_datatype(struct binary *binary, const struct sparkplug_metric *metric)
{
    const char *name = sparkplug_datatype_name(metric->datatype);
    struct slice key = slice_of("datatype");
    if (!metric->has_datatype) {
        return binary_add(binary, VALUE_NULL, key, (struct slice){0});
    }
    return name != NULL ? binary_add(binary, VALUE_TEXT, key, slice_of(name))
                        : binary_add_unsigned(binary, key, metric->datatype);
}

static bool write_value(struct binary *binary, const struct sparkplug_metric *metric)
{
    struct slice key = slice_of("value");
    if (metric->null || metric->value.kind == SPB_VALUE_NONE) {
        return binary_add(binary, VALUE_NULL, key, (struct slice){0});
    }
    if (metric->value.kind == SPB_VALUE_DATASET) {
        return sparkplug_dataset_write(binary, metric->value.bytes, key);
    }
    return metric->value.kind == SPB_VALUE_TEMPLATE
               ? write_template(binary, metric->value.bytes, key)
               : sparkplug_value_write(binary, metric->datatype, &metric->value, key);
}

/* Nine members in a fixed order. */
bool sparkplug_metric_write(struct binary *binary, const struct sparkplug_metric *metric,
                            const uint64_t *timestamp)
{
    struct binary_container object;
    const struct slice none = {0};
    if (!binary_open(binary, VALUE_OBJECT, none, metric->start, &object)) {
        return false;
    }
    const uint64_t *time = metric->has_timestamp ? &metric->timestamp : timestamp;
    bool written =
        binary_add(binary, metric->has_name ? VALUE_TEXT : VALUE_NULL, slice_of("name"),
                   metric->name) &&
        (metric->has_alias ? binary_add_unsigned(binary, slice_of("alias"), metric->alias)
                           : binary_add(binary, VALUE_NULL, slice_of("alias"), none)) &&
        write_value(binary, metric) && write_datatype(binary, metric) &&
        (time != NULL ? sparkplug_time_write(binary, *time, slice_of("timestamp"))
                      : binary_add(binary, VALUE_NULL, slice_of("timestamp"), none)) &&
        binary_add_boolean(binary, slice_of("is_null"),
                           metric->null || metric->value.kind == SPB_VALUE_NONE) &&
        binary_add_boolean(binary, slice_of("is_historical"), metric->historical) &&
        binary_add_boolean(binary, slice_of("is_transient"), metric->transient) &&
        (metric->has_properties
             ? sparkplug_properties_write(binary, metric->properties, slice_of("properties"))
             : binary_add(binary, VALUE_NULL, slice_of("properties"), none));
    if (written) {
        nodes_close(&binary->nodes, object.index, 9);
    }
    return written;
}

/* --- properties ------------------------------------------------------------------------------- */

/* A list of sets, as an array. */
static bool write_sets(struct binary *binary, struct slice bytes, struct slice key)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct binary_container array;
    if (!binary_open(binary, VALUE_ARRAY, key, wire.at, &array)) {
        return false;
    }
    while (wire_next(&wire, &field)) {
        if (field.number == 1 && field.type == WIRE_BYTES) {
            if (!sparkplug_properties_write(binary, field.bytes, (struct slice){0})) {
                return false;
            }
            array.count++;
        }
    }
    return sparkplug_wire_end(binary, &wire) && binary_close(binary, &array);
}

/* PropertyValue: 1 type, 2 is_null, and a oneof from 3 on, with sets and lists of sets in it. */
static bool write_property(struct binary *binary, struct slice bytes, struct slice key)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct sparkplug_value value = {.kind = SPB_VALUE_NONE};
    uint32_t type = SPB_UNKNOWN;
    bool null = false;
    while (wire_next(&wire, &field)) {
        if (field.number == PROPERTY_TYPE && field.type == WIRE_VARINT) {
            type = (uint32_t) field.integer;
        } else if (field.number == PROPERTY_NULL && field.type == WIRE_VARINT) {
            null = field.integer != 0;
        } else if (field.number >= PROPERTY_VALUE) {
            sparkplug_value_take(&value, &field, PROPERTY_VALUE);
        }
    }
    if (!sparkplug_wire_end(binary, &wire)) {
        return false;
    }
    if (null || value.kind == SPB_VALUE_NONE) {
        return binary_add(binary, VALUE_NULL, key, (struct slice){0});
    }
    if (value.kind == SPB_VALUE_BYTES) {
        return sparkplug_properties_write(binary, value.bytes, key);
    }
    return value.kind == SPB_VALUE_DATASET ? write_sets(binary, value.bytes, key)
                                           : sparkplug_value_write(binary, type, &value, key);
}

/* The keys stand before the values, or among them: two walks side by side. */
bool sparkplug_properties_write(struct binary *binary, struct slice bytes, struct slice key)
{
    struct wire keys = wire_begin(bytes);
    struct wire values = wire_begin(bytes);
    struct wire_field name;
    struct wire_field value;
    struct binary_container object;
    if (!binary_open(binary, VALUE_OBJECT, key, keys.at, &object)) {
        return false;
    }
    for (;;) {
        bool has_name;
        bool has_value;
        do {
            has_name = wire_next(&keys, &name);
        } while (has_name && (name.number != SET_KEYS || name.type != WIRE_BYTES));
        do {
            has_value = wire_next(&values, &value);
        } while (has_value && (value.number != SET_VALUES || value.type != WIRE_BYTES));
        if (keys.wrong != NULL || values.wrong != NULL) {
            return sparkplug_wire_end(binary, &keys) && sparkplug_wire_end(binary, &values);
        }
        if (has_name != has_value) {
            return binary_fail(binary, object.start,
                               "properties with more or fewer keys than values");
        }
        if (!has_name) {
            break;
        }
        if (!binary_check_text(binary, name.bytes) ||
            !binary_name(binary, &object, name.bytes, name.start) ||
            !write_property(binary, value.bytes, name.bytes)) {
            return false;
        }
    }
    return binary_close(binary, &object);
}

/* --- Template --------------------------------------------------------------------------------- */

static bool write_metrics(struct binary *binary, struct slice bytes)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct binary_container array;
    if (!binary_open(binary, VALUE_ARRAY, slice_of("metrics"), wire.at, &array)) {
        return false;
    }
    while (wire_next(&wire, &field)) {
        struct sparkplug_metric metric;
        if (field.number != TEMPLATE_METRICS || field.type != WIRE_BYTES) {
            continue;
        }
        if (!sparkplug_metric_read(binary, field.bytes, &metric) ||
            !sparkplug_metric_write(binary, &metric, NULL)) {
            return false;
        }
        array.count++;
    }
    return sparkplug_wire_end(binary, &wire) && binary_close(binary, &array);
}

/* Parameter: 1 name, 2 type, and a oneof from 3 on. */
static bool write_parameter(struct binary *binary, struct slice bytes,
                            struct binary_container *object)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct sparkplug_value value = {.kind = SPB_VALUE_NONE};
    struct slice name = {0};
    uint32_t type = SPB_UNKNOWN;
    while (wire_next(&wire, &field)) {
        if (field.number == PARAMETER_NAME && field.type == WIRE_BYTES) {
            name = field.bytes;
        } else if (field.number == PARAMETER_TYPE && field.type == WIRE_VARINT) {
            type = (uint32_t) field.integer;
        } else if (field.number >= PARAMETER_VALUE) {
            sparkplug_value_take(&value, &field, PARAMETER_VALUE);
        }
    }
    if (!sparkplug_wire_end(binary, &wire) || !binary_check_text(binary, name) ||
        !binary_name(binary, object, name, wire_begin(bytes).at)) {
        return false;
    }
    return value.kind == SPB_VALUE_NONE ? binary_add(binary, VALUE_NULL, name, (struct slice){0})
                                        : sparkplug_value_write(binary, type, &value, name);
}

static bool write_parameters(struct binary *binary, struct slice bytes)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct binary_container object;
    if (!binary_open(binary, VALUE_OBJECT, slice_of("parameters"), wire.at, &object)) {
        return false;
    }
    while (wire_next(&wire, &field)) {
        if (field.number == TEMPLATE_PARAMETERS && field.type == WIRE_BYTES &&
            !write_parameter(binary, field.bytes, &object)) {
            return false;
        }
    }
    return sparkplug_wire_end(binary, &wire) && binary_close(binary, &object);
}

/* Template: 1 version, 2 metrics, which may be Templates again (depth is bounded by decode/nodes),
 * 3 parameters, 4 template_ref, 5 is_definition. */
static bool write_template(struct binary *binary, struct slice bytes, struct slice key)
{
    struct wire wire = wire_begin(bytes);
    struct wire_field field;
    struct binary_container object;
    struct slice version = {0};
    struct slice reference = {0};
    bool definition = false;
    while (wire_next(&wire, &field)) {
        if (field.number == TEMPLATE_VERSION && field.type == WIRE_BYTES) {
            version = field.bytes;
        } else if (field.number == TEMPLATE_REF && field.type == WIRE_BYTES) {
            reference = field.bytes;
        } else if (field.number == TEMPLATE_DEFINITION && field.type == WIRE_VARINT) {
            definition = field.integer != 0;
        }
    }
    if (!sparkplug_wire_end(binary, &wire) ||
        !binary_open(binary, VALUE_OBJECT, key, wire_begin(bytes).at, &object) ||
        !binary_add_text(binary, slice_of("version"), version) ||
        !binary_add_text(binary, slice_of("template_ref"), reference) ||
        !binary_add_boolean(binary, slice_of("is_definition"), definition) ||
        !write_metrics(binary, bytes) || !write_parameters(binary, bytes)) {
        return false;
    }
    nodes_close(&binary->nodes, object.index, 5);
    return true;
}
