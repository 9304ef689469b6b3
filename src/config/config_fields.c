/*
 * One row for each setting, in the order of settings_table.c. FIELD_CHOICE stores the number of a
 * choice as an enumerator: "new|store|ignore" and enum retained must have the same order. The
 * static assertions below the table check this.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_fields.h"

#include <assert.h>
#include <string.h>

#include "config/config.h"

#define IN_CONFIG(member) offsetof(struct config, member)
#define IN_RULE(member) offsetof(struct rule_options, member)

static const struct field fields[] = {
    {"broker.url", FIELD_TEXTS, IN_CONFIG(broker.urls), IN_CONFIG(broker.url_count)},
    {"broker.client_id", FIELD_TEXT, IN_CONFIG(broker.client_id), 0},
    {"broker.protocol", FIELD_FIRST_CHOICE, IN_CONFIG(broker.mqtt5), 0},
    {"broker.username", FIELD_TEXT, IN_CONFIG(broker.username), 0},
    {"broker.password", FIELD_TEXT, IN_CONFIG(broker.password), IN_CONFIG(broker.password_file)},
    {"broker.keepalive", FIELD_INT64, IN_CONFIG(broker.keepalive_ms), 0},
    {"broker.session_expiry", FIELD_INT64, IN_CONFIG(broker.session_expiry_ms), 0},
    {"broker.receive_maximum", FIELD_INT, IN_CONFIG(broker.receive_maximum), 0},
    {"broker.max_packet", FIELD_INT64, IN_CONFIG(broker.max_packet_bytes), 0},
    {"broker.tls.ca_file", FIELD_PATH, IN_CONFIG(broker.tls.ca_file), 0},
    {"broker.tls.cert_file", FIELD_PATH, IN_CONFIG(broker.tls.cert_file), 0},
    {"broker.tls.key_file", FIELD_PATH, IN_CONFIG(broker.tls.key_file), 0},
    {"broker.tls.key_password", FIELD_TEXT, IN_CONFIG(broker.tls.key_password),
     IN_CONFIG(broker.tls.key_password_file)},
    {"broker.tls.alpn", FIELD_TEXT, IN_CONFIG(broker.tls.alpn), 0},
    {"broker.tls.verify", FIELD_BOOL, IN_CONFIG(broker.tls.verify), 0},
    {"broker.status_topic", FIELD_TEXT, IN_CONFIG(broker.status_topic), 0},
    {"database.conninfo", FIELD_TEXT, IN_CONFIG(database.conninfo),
     IN_CONFIG(database.conninfo_file)},
    {"database.password", FIELD_TEXT, IN_CONFIG(database.password),
     IN_CONFIG(database.password_file)},
    {"database.schema", FIELD_TEXT, IN_CONFIG(database.schema), 0},
    {"database.connect_timeout", FIELD_INT64, IN_CONFIG(database.connect_ms), 0},
    {"database.statement_timeout", FIELD_INT64, IN_CONFIG(database.statement_ms), 0},
    {"journal.directory", FIELD_PATH, IN_CONFIG(journal.directory), 0},
    {"journal.max_size", FIELD_INT64, IN_CONFIG(journal.max_bytes), 0},
    {"journal.keep_free", FIELD_INT64, IN_CONFIG(journal.keep_free_bytes), 0},
    {"journal.sync", FIELD_INT64, IN_CONFIG(journal.sync_ms), 0},
    {"journal.keep", FIELD_INT64, IN_CONFIG(journal.keep_ms), 0},
    {"batch.max_rows", FIELD_INT64, IN_CONFIG(batch.max_rows), 0},
    {"batch.max_bytes", FIELD_INT64, IN_CONFIG(batch.max_bytes), 0},
    {"batch.max_delay", FIELD_INT64, IN_CONFIG(batch.max_delay_ms), 0},
    {"http.listen", FIELD_TEXT, IN_CONFIG(http.listen), 0},
    {"http.show_payloads", FIELD_BOOL, IN_CONFIG(http.show_payloads), 0},
    {"http.admin", FIELD_BOOL, IN_CONFIG(http.admin), 0},
    {"http.token", FIELD_TEXT, IN_CONFIG(http.token), IN_CONFIG(http.token_file)},
    {"log.level", FIELD_CHOICE, IN_CONFIG(log.level), 0},
    {"log.format", FIELD_CHOICE, IN_CONFIG(log.format), 0},
    {"shutdown", FIELD_INT64, IN_CONFIG(shutdown_ms), 0},
    {"rules.name", FIELD_TEXT, IN_RULE(name), 0},
    {"rules.topic", FIELD_OPTIONS, IN_RULE(topics), IN_RULE(topic_count)},
    {"rules.qos", FIELD_UINT8, IN_RULE(qos), 0},
    {"rules.share", FIELD_TEXT, IN_RULE(share), 0},
    {"rules.retained", FIELD_CHOICE, IN_RULE(retained), 0},
    {"rules.format", FIELD_OPTION, IN_RULE(format), 0},
    {"rules.compression", FIELD_CHOICE, IN_RULE(decoding.compression), 0},
    {"rules.max_decoded", FIELD_INT64, IN_RULE(decoding.max_decoded_bytes), 0},
    {"rules.lenient", FIELD_BOOL, IN_RULE(decoding.lenient), 0},
    {"rules.partition.by", FIELD_OPTION, IN_RULE(partition.by), 0},
    {"rules.partition.every", FIELD_INT64, IN_RULE(partition.every_ms), 0},
    {"rules.partition.keep", FIELD_INT64, IN_RULE(partition.keep_ms), 0},
    {"rules.partition.timescale", FIELD_BOOL, IN_RULE(partition.timescale), 0},
    {"rules.csv.delimiter", FIELD_OPTION, IN_RULE(decoding.csv.delimiter), 0},
    {"rules.csv.quote", FIELD_OPTION, IN_RULE(decoding.csv.quote), 0},
    {"rules.csv.comment", FIELD_OPTION, IN_RULE(decoding.csv.comment), 0},
    {"rules.csv.header", FIELD_BOOL, IN_RULE(decoding.csv.header), 0},
    {"rules.csv.names", FIELD_OPTIONS, IN_RULE(decoding.csv.names),
     IN_RULE(decoding.csv.name_count)},
    {"rules.influx.precision", FIELD_CHOICE, IN_RULE(decoding.influx.precision), 0},
    {"rules.protobuf.descriptor", FIELD_PATH, IN_RULE(decoding.protobuf.descriptor), 0},
    {"rules.protobuf.message", FIELD_OPTION, IN_RULE(decoding.protobuf.message), 0},
    {"rules.sparkplug.rebirth", FIELD_CHOICE, IN_RULE(decoding.sparkplug.rebirth), 0},
    {"rules.sparkplug.cluster", FIELD_BOOL, IN_RULE(decoding.sparkplug.cluster), 0},
    {"rules.table", FIELD_OPTION, IN_RULE(table), 0},
    {"rules.columns", FIELD_COLUMNS, IN_RULE(columns), IN_RULE(column_count)},
    {"rules.compute", FIELD_COLUMNS, IN_RULE(compute), IN_RULE(compute_count)},
    {"rules.notify", FIELD_OPTION, IN_RULE(notify), 0},
    {"rules.where", FIELD_OPTIONS, IN_RULE(where), IN_RULE(where_count)},
    {"rules.rows", FIELD_OPTION, IN_RULE(rows), 0},
    {"rules.time_range", FIELD_OPTIONS, IN_RULE(time_range), IN_RULE(time_range_count)},
    {"rules.retry_for", FIELD_INT64, IN_RULE(retry_for_ms), 0},
    {"rules.on_conflict", FIELD_CHOICE, IN_RULE(on_conflict), 0},
    {"rules.key", FIELD_OPTIONS, IN_RULE(key), IN_RULE(key_count)},
    {"rules.newest", FIELD_OPTION, IN_RULE(newest), 0},
    {"rules.create", FIELD_BOOL, IN_RULE(create), 0},
    {"rules.create_sql", FIELD_OPTIONS, IN_RULE(create_sql), IN_RULE(create_sql_count)},
    {"rules.add_columns", FIELD_BOOL, IN_RULE(add_columns), 0},
    {"rules.sql", FIELD_OPTION, IN_RULE(sql), 0},
    {"rules.ack.topic", FIELD_OPTION, IN_RULE(ack.topic), 0},
    {"rules.ack.on", FIELD_CHOICES, IN_RULE(ack.on_stored), IN_RULE(ack.on_rejected)},
    {"rules.ack.qos", FIELD_UINT8, IN_RULE(ack.qos), 0},
    {"rules.ack.retain", FIELD_BOOL, IN_RULE(ack.retain), 0},
    {"rules.ack.fields", FIELD_COLUMNS, IN_RULE(ack.fields), IN_RULE(ack.field_count)},
};

/* FIELD_CHOICE stores the number of a choice as an unsigned: the enums must have that size, and
 * their enumerators the order of the choices. */
static_assert(sizeof(enum log_level) == sizeof(unsigned), "enums are unsigned");
static_assert(LOG_DEBUG == 0 && LOG_ERROR == 3 && LOG_TEXT == 0 && LOG_JSON == 1, "order");
static_assert(RETAINED_NEW == 0 && RETAINED_IGNORE == 2, "order");
static_assert(COMPRESSION_NONE == 0 && COMPRESSION_AUTO == 4, "order");
static_assert(PRECISION_NS == 0 && PRECISION_S == 3, "order");
static_assert(REBIRTH_NEVER == 0 && REBIRTH_GAP == 2, "order");
static_assert(CONFLICT_ERROR == 0 && CONFLICT_UPDATE == 2, "order");

const struct field *field_of(const struct setting *setting)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].path, setting->path) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}
