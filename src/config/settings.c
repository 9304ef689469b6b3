/*
 * The table. Its order is that of the sample and of the reference page; a group's row stands before
 * those of its members.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/settings.h"

#include <string.h>

#include "base/text.h"

#define SECONDS INT64_C(1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)
#define KB (INT64_C(1) << 10)
#define MB (INT64_C(1) << 20)
#define GB (INT64_C(1) << 30)
#define TB (INT64_C(1) << 40)

/* MQTT 5.0, section 2.1.4: a packet has at most 268,435,455 bytes behind its fixed header. */
#define PACKET_MAX (256 * MB)

/* Paho takes the session's expiry in seconds as a signed integer. */
#define SESSION_EXPIRY_MAX (24855 * DAYS)

/* What may be left out as a whole has no default value. */
#define GROUP(name, words) \
    { \
        .path = (name), .type = SETTING_GROUP, .default_value = "{ }", .help = (words) \
    }

const struct setting settings[] = {
    GROUP("broker", "The MQTT broker that messages come from."),
    {.path = "broker.url",
     .type = SETTING_TEXTS,
     .default_value = "\"mqtt://localhost:1883\"",
     .help = "Where the broker is, mqtt://, mqtts:// (TLS), ws:// or wss://; or a list of them, "
             "tried in turn."},
    {.path = "broker.client_id",
     .type = SETTING_TEXT,
     .default_value = "\"mqtt2pg\"",
     .help = "The broker keeps the session under this name: never change it, never give it to two "
             "bridges."},
    {.path = "broker.protocol",
     .type = SETTING_CHOICE,
     .default_value = "\"5\"",
     .choices = "5|3.1.1",
     .help = "MQTT version."},
    {.path = "broker.username",
     .type = SETTING_TEXT,
     .example = "\"bridge\"",
     .help = "User at the broker, where it asks for one."},
    {.path = "broker.password",
     .type = SETTING_TEXT,
     .secret = true,
     .example = "\"${MQTT_PASSWORD}\"",
     .help = "Password at the broker; better in a file of its own, named by password_file."},
    {.path = "broker.keepalive",
     .type = SETTING_DURATION,
     .default_value = "\"30s\"",
     .min = 1 * SECONDS,
     .max = 18 * HOURS,
     .help = "How often a quiet connection is tried; a dead one is noticed after about this time."},
    {.path = "broker.session_expiry",
     .type = SETTING_DURATION,
     .default_value = "\"7d\"",
     .min = 1 * SECONDS,
     .max = SESSION_EXPIRY_MAX,
     .help = "How long the broker keeps messages for a bridge that is away (MQTT 5)."},
    {.path = "broker.receive_maximum",
     .type = SETTING_INTEGER,
     .default_value = "1000",
     .unit = "messages",
     .min = 1,
     .max = 65535,
     .help = "How many messages of QoS 1 and 2 may be under way at a time (MQTT 5)."},
    {.path = "broker.max_packet",
     .type = SETTING_SIZE,
     .default_value = "\"1MB\"",
     .min = 1 * KB,
     .max = PACKET_MAX,
     .help = "The broker does not deliver messages larger than this (MQTT 5)."},
    {.path = "broker.status_topic",
     .type = SETTING_TEXT,
     .default_value = "\"mqtt2pg/{client_id}/status\"",
     .help = "Retained \"online\" or \"offline\" is published here; \"\" = nowhere."},
    GROUP("broker.tls", "TLS, for URLs that begin with mqtts:// or wss://."),
    {.path = "broker.tls.ca_file",
     .type = SETTING_TEXT,
     .example = "\"/etc/mqtt2pg/ca.pem\"",
     .help = "Certificates that the broker's is checked against; without it the system's."},
    {.path = "broker.tls.cert_file",
     .type = SETTING_TEXT,
     .example = "\"/etc/mqtt2pg/bridge.pem\"",
     .help = "The bridge's own certificate, where the broker asks for one."},
    {.path = "broker.tls.key_file",
     .type = SETTING_TEXT,
     .example = "\"/etc/mqtt2pg/bridge.key\"",
     .help = "The private key of that certificate, where it stands in another file."},
    {.path = "broker.tls.key_password",
     .type = SETTING_TEXT,
     .secret = true,
     .example = "\"${KEY_PASSWORD}\"",
     .help = "Password of that key, where it is encrypted; better in a file, named by "
             "key_password_file."},
    {.path = "broker.tls.verify",
     .type = SETTING_BOOLEAN,
     .default_value = "true",
     .help =
         "Check the broker's certificate and host name; false lets anybody pose as the broker."},

    GROUP("database", "The PostgreSQL server that rows go to."),
    {.path = "database.conninfo",
     .type = SETTING_TEXT,
     .default_value = "\"\"",
     .in_file = true,
     .example = "\"host=/run/postgresql dbname=telemetry\"",
     .help = "libpq's connection string or URI; what it leaves out comes from PGHOST, PGUSER, … or "
             "libpq's defaults."},
    {.path = "database.password",
     .type = SETTING_TEXT,
     .secret = true,
     .example = "\"${DATABASE_PASSWORD}\"",
     .help = "Password at the database; better in a file of its own, named by password_file."},
    {.path = "database.schema",
     .type = SETTING_TEXT,
     .default_value = "\"mqtt2pg\"",
     .help = "Schema of the bridge's own tables: progress, dead_letter, gap."},
    {.path = "database.connect_timeout",
     .type = SETTING_DURATION,
     .default_value = "\"10s\"",
     .min = 1 * SECONDS,
     .max = 10 * MINUTES,
     .help = "How long connecting may take, for all hosts together."},
    {.path = "database.statement_timeout",
     .type = SETTING_DURATION,
     .default_value = "\"60s\"",
     .min = 1 * SECONDS,
     .max = 1 * DAYS,
     .help =
         "A statement that has not moved for this long is given up, and the connection with it."},

    GROUP("journal", "Messages on disk, between the broker and the database."),
    {.path = "journal.directory",
     .type = SETTING_TEXT,
     .default_value = "\"/var/lib/mqtt2pg\"",
     .help = "Where it stands; one directory for each bridge, on a local disk."},
    {.path = "journal.max_size",
     .type = SETTING_SIZE,
     .default_value = "\"10GB\"",
     .min = 1 * MB,
     .max = 1024 * TB,
     .help = "When it is full the bridge takes no more messages, and the broker keeps them."},
    {.path = "journal.sync",
     .type = SETTING_SYNC,
     .default_value = "\"100ms\"",
     .min = 1,
     .max = 1 * HOURS,
     .help = "How young a message may be that a power loss takes: a duration, \"always\" (none is "
             "lost) or \"never\"."},
    {.path = "journal.keep",
     .type = SETTING_DURATION,
     .default_value = "\"1h\"",
     .min = 0,
     .max = 365 * DAYS,
     .help = "How long stored messages stay, for a database that goes back in time (failover, "
             "restore)."},

    GROUP("batch", "Rows that are stored by one transaction."),
    {.path = "batch.max_rows",
     .type = SETTING_INTEGER,
     .default_value = "10000",
     .unit = "rows",
     .min = 1,
     .max = 1000000,
     .reload = true,
     .help = "At most so many rows."},
    {.path = "batch.max_bytes",
     .type = SETTING_SIZE,
     .default_value = "\"8MB\"",
     .min = 1 * KB,
     .max = 1 * GB,
     .reload = true,
     .help = "At most so many bytes of rows."},
    {.path = "batch.max_delay",
     .type = SETTING_DURATION,
     .default_value = "\"100ms\"",
     .min = 0,
     .max = 1 * MINUTES,
     .reload = true,
     .help = "How long the first message of a small batch waits for others."},

    GROUP("http", "Status page, metrics and health."),
    {.path = "http.listen",
     .type = SETTING_TEXT,
     .default_value = "\"127.0.0.1:9464\"",
     .help = "Address and port, like \"[::1]:9464\" or \"*:9464\"; \"\" = off. It asks for no "
             "password."},
    {.path = "http.show_payloads",
     .type = SETTING_BOOLEAN,
     .default_value = "false",
     .reload = true,
     .help = "Show the beginnings of the payloads of the last dead letters there, too."},

    GROUP("log", "What is written to standard error."),
    {.path = "log.level",
     .type = SETTING_CHOICE,
     .default_value = "\"info\"",
     .choices = "debug|info|warn|error",
     .reload = true,
     .help = "The least important lines that are written."},
    {.path = "log.format",
     .type = SETTING_CHOICE,
     .default_value = "\"text\"",
     .choices = "text|json",
     .reload = true,
     .help = "For people or for programs."},

    {.path = "shutdown",
     .type = SETTING_DURATION,
     .reload = true,
     .default_value = "\"20s\"",
     .min = 0,
     .max = 1 * HOURS,
     .help = "After SIGTERM: time to store and acknowledge what has come; the rest waits in the "
             "journal."},

    GROUP("rules", "Which messages become which rows: a list of at least one rule."),
    {.path = "rules.name",
     .type = SETTING_TEXT,
     .default_value = "!",
     .reload = true,
     .in_sample = true,
     .example = "\"telemetry\"",
     .help = "Names the rule in logs, metrics and dead letters; each rule has its own."},
    {.path = "rules.topic",
     .type = SETTING_TEXT,
     .default_value = "!",
     .reload = true,
     .in_sample = true,
     .example = "\"devices/{device}/telemetry\"",
     .help = "{x} takes one level of the topic, {x...} at the end takes the rest; + and # take "
             "without a name."},
    {.path = "rules.qos",
     .type = SETTING_INTEGER,
     .default_value = "1",
     .max = 2,
     .reload = true,
     .help = "Quality of service it subscribes with: 0 (may be lost), 1 or 2."},
    {.path = "rules.share",
     .type = SETTING_TEXT,
     .default_value = "\"\"",
     .reload = true,
     .example = "\"bridges\"",
     .help = "Name of a group of bridges that share the messages ($share/GROUP/…); \"\" = none."},
    {.path = "rules.retained",
     .type = SETTING_CHOICE,
     .default_value = "\"new\"",
     .choices = "new|store|ignore",
     .reload = true,
     .help = "Retained messages: \"new\" not again on every reconnect, \"store\" always, "
             "\"ignore\" never."},
    {.path = "rules.format",
     .type = SETTING_TEXT,
     .default_value = "\"json\"",
     .reload = true,
     .help = "What the payload is: \"json\", \"text\" (also a single number), \"raw\" (bytes)."},
    {.path = "rules.table",
     .type = SETTING_TEXT,
     .reload = true,
     .in_sample = true,
     .example = "\"public.telemetry\"",
     .help = "The table that rows go into. A rule has either a table or sql."},
    {.path = "rules.columns",
     .type = SETTING_COLUMNS,
     .default_value = "!",
     .reload = true,
     .in_sample = true,
     .example = "{\n"
                "    time        = \"$.ts | unix_ms\";      # milliseconds since 1970, out of the "
                "payload\n"
                "    device      = \"{device}\";            # out of the topic\n"
                "    temperature = \"$.temperature\";\n"
                "    status      = \"$.status | default 'unknown'\";\n"
                "    received    = \"@received_at\";        # when the bridge got it\n"
                "}",
     .help =
         "column = \"expression\"; or a list of { name = \"Odd Name\"; value = \"expression\"; }."},
    {.path = "rules.where",
     .type = SETTING_EXPRESSIONS,
     .reload = true,
     .example = "\"$.battery > 0\"",
     .help = "Only messages for which this holds are stored; of a list, all must hold."},
    {.path = "rules.rows",
     .type = SETTING_EXPRESSION,
     .reload = true,
     .example = "\"$.readings[*]\"",
     .help = "One row for each element ([*]) or member (.*); \"$\" is then the element, \"$$\" the "
             "whole payload."},
    {.path = "rules.on_conflict",
     .type = SETTING_CHOICE,
     .default_value = "\"error\"",
     .choices = "error|nothing|update",
     .reload = true,
     .help = "When the row is there already: \"error\" (dead letter), \"nothing\" (keep it), "
             "\"update\" (replace it)."},
    {.path = "rules.key",
     .type = SETTING_TEXTS,
     .reload = true,
     .example = "(\"device\", \"time\")",
     .help =
         "For \"nothing\" (optional) and \"update\": the columns that tell which row is meant."},
    {.path = "rules.newest",
     .type = SETTING_TEXT,
     .reload = true,
     .example = "\"time\"",
     .help = "With \"update\": the column by which an older row never overwrites a newer one."},
    {.path = "rules.create",
     .type = SETTING_BOOLEAN,
     .default_value = "false",
     .reload = true,
     .help =
         "Create the table when it is missing; the types come from \"::type\" in the expressions."},
    {.path = "rules.sql",
     .type = SETTING_TEXT,
     .reload = true,
     .example = "\"insert into t select … from batch\"",
     .help = "Instead of table: your own SQL over the batch, a table of the columns above."},
    {.path = "rules.ack",
     .type = SETTING_GROUP,
     .reload = true,
     .help = "An answer over MQTT, when the message's rows are committed."},
    {.path = "rules.ack.topic",
     .type = SETTING_TEXT,
     .default_value = "!",
     .reload = true,
     .in_sample = true,
     .example = "\"devices/{device}/ack\"",
     .help = "Where to; \"@response_topic\" answers an MQTT 5 request, with its correlation data."},
    {.path = "rules.ack.on",
     .type = SETTING_TEXTS,
     .default_value = "(\"stored\", \"rejected\")",
     .choices = "stored|rejected",
     .reload = true,
     .help = "What is answered."},
    {.path = "rules.ack.qos",
     .type = SETTING_INTEGER,
     .default_value = "1",
     .max = 2,
     .reload = true,
     .help = "Quality of service of the answer."},
    {.path = "rules.ack.retain",
     .type = SETTING_BOOLEAN,
     .default_value = "false",
     .reload = true,
     .help = "The broker keeps the last answer for later subscribers."},
    {.path = "rules.ack.fields",
     .type = SETTING_COLUMNS,
     .reload = true,
     .example =
         "{ status = \"@status\"; id = \"$.id\"; at = \"@stored_at\"; reason = \"@reason\"; }",
     .help = "Members of the answer, a JSON object; without it status and reason."},
};

const size_t setting_count = sizeof(settings) / sizeof(settings[0]);

const struct setting *setting_find(const char *path)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(settings[i].path, path) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

bool setting_has_file(const struct setting *setting)
{
    return setting->secret || setting->in_file;
}

bool setting_is_required(const struct setting *setting)
{
    return setting->default_value != NULL && strcmp(setting->default_value, "!") == 0;
}

const char *setting_name(const struct setting *setting)
{
    const char *dot = strrchr(setting->path, '.');
    return dot == NULL ? setting->path : dot + 1;
}

bool setting_is_in(const struct setting *setting, const char *group)
{
    const char *dot = strrchr(setting->path, '.');
    size_t length = dot == NULL ? 0 : (size_t) (dot - setting->path);
    return strlen(group) == length && memcmp(setting->path, group, length) == 0;
}

static void append_choices(struct buf *out, const char *choices)
{
    for (; *choices != '\0'; choices++) {
        if (*choices == '|') {
            buf_append_text(out, ", ");
        } else {
            buf_append_byte(out, (uint8_t) *choices);
        }
    }
}

void setting_append_type(struct buf *out, const struct setting *setting)
{
    static const char *const names[] = {
        [SETTING_TEXT] = "text",
        [SETTING_TEXTS] = "text or list of texts",
        [SETTING_INTEGER] = "whole number",
        [SETTING_BOOLEAN] = "true or false",
        [SETTING_DURATION] = "duration",
        [SETTING_SYNC] = "duration, always or never",
        [SETTING_SIZE] = "size",
        [SETTING_CHOICE] = "one of ",
        [SETTING_EXPRESSION] = "expression",
        [SETTING_EXPRESSIONS] = "expression or list of them",
        [SETTING_COLUMNS] = "columns",
        [SETTING_GROUP] = "group",
    };
    if (setting->type == SETTING_TEXTS && setting->choices != NULL) {
        buf_append_text(out, "list of ");
    } else {
        buf_append_text(out, names[setting->type]);
    }
    if (setting->choices != NULL) {
        append_choices(out, setting->choices);
    }
}

const char *setting_unit(const struct setting *setting)
{
    if (setting->type == SETTING_DURATION || setting->type == SETTING_SYNC) {
        return "ms, s, m, h, d";
    }
    if (setting->type == SETTING_SIZE) {
        return "KB, MB, GB, TB";
    }
    return setting->unit == NULL ? "" : setting->unit;
}

void setting_append_quantity(struct buf *out, const struct setting *setting, int64_t value)
{
    if (setting->type == SETTING_INTEGER) {
        buf_printf(out, "%lld", (long long) value);
        return;
    }
    buf_append_byte(out, '"');
    if (setting->type == SETTING_SIZE) {
        text_format_size(out, value);
    } else {
        text_format_duration(out, value);
    }
    buf_append_byte(out, '"');
}
