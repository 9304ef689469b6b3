/*
 * settings_table: all settings. The sample and the reference page have them in this order. A row
 * for a group must stand before the rows of its members.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/settings.h"

#include "admin/http_options.h"

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

#define GROUP(name, words) \
    { \
        .path = (name), .type = SETTING_GROUP, .default_value = "{ }", .help = (words) \
    }

/* A group of a rule has no default value, and the sample switches it off. */
#define GROUP_OF_RULE(name, words) \
    { \
        .path = (name), .type = SETTING_GROUP, .reload = true, .help = (words) \
    }

#define TEXT_OF_RULE(name, otherwise, shown, words) \
    { \
        .path = (name), .type = SETTING_TEXT, .default_value = (otherwise), .reload = true, \
        .example = (shown), .help = (words) \
    }

#define SWITCH_OF_RULE(name, otherwise, words) \
    { \
        .path = (name), .type = SETTING_BOOLEAN, .default_value = (otherwise), .reload = true, \
        .help = (words) \
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
     .help =
         "How often a quiet connection is probed; a dead one is noticed after about this time."},
    {.path = "broker.session_expiry",
     .type = SETTING_DURATION,
     .default_value = "\"7d\"",
     .min = 1 * SECONDS,
     .max = SESSION_EXPIRY_MAX,
     .help = "How long the broker keeps messages for a bridge that is away (MQTT 5)."},
    {.path = "broker.receive_maximum",
     .type = SETTING_INTEGER,
     .default_value = "65535",
     .unit = "messages",
     .min = 1,
     .max = 65535,
     .help = "How many messages of QoS 1 and 2 may be under way at a time (MQTT 5); some brokers "
             "drop what exceeds it."},
    {.path = "broker.max_packet",
     .type = SETTING_SIZE,
     .default_value = "\"2MB\"",
     .min = 1 * KB,
     .max = PACKET_MAX,
     .help =
         "The largest message; the head of a larger one (MQTT 3.1.1 only) becomes a dead letter."},
    {.path = "broker.status_topic",
     .type = SETTING_TEXT,
     .default_value = "\"mqtt2pg/{client_id}/status\"",
     .help = "Retained \"online\" or \"offline\" is published here; \"\" = nowhere."},
    GROUP("broker.tls", "TLS, for URLs that begin with mqtts:// or wss://."),
    {.path = "broker.tls.ca_file",
     .type = SETTING_TEXT,
     .example = "\"/etc/mqtt2pg/ca.pem\"",
     .help = "CA certificates that the broker's certificate is checked against; without it the "
             "system's."},
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
    {.path = "broker.tls.alpn",
     .type = SETTING_TEXT,
     .default_value = "\"\"",
     .help = "Protocols to offer by ALPN, such as \"x-amzn-mqtt-ca\" for port 443 of AWS IoT; \"\" "
             "= none."},
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
     .help = "Directory of the journal: each bridge has its own, on a local disk."},
    {.path = "journal.max_size",
     .type = SETTING_SIZE,
     .default_value = "\"10GB\"",
     .min = 1 * MB,
     .max = 1024 * TB,
     .help = "A full journal takes no more messages; the broker keeps them until there is room."},
    {.path = "journal.keep_free",
     .type = SETTING_SIZE,
     .default_value = "\"0\"",
     .min = 0,
     .max = 1024 * TB,
     .help = "The journal stops growing when less than this would stay free on its disk, as if it "
             "were full."},
    {.path = "journal.sync",
     .type = SETTING_SYNC,
     .default_value = "\"100ms\"",
     .min = 1,
     .max = 1 * HOURS,
     .help = "A power loss may take messages younger than this: a duration, \"always\" (none) or "
             "\"never\" (any)."},
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
     .help = "A batch has at most so many rows."},
    {.path = "batch.max_bytes",
     .type = SETTING_SIZE,
     .default_value = "\"8MB\"",
     .min = 1 * KB,
     .max = 1 * GB,
     .reload = true,
     .help = "A batch has at most so many bytes of rows."},
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
     .default_value = "\"" HTTP_LISTEN_DEFAULT "\"",
     .help = "Address and port, like \"[::1]:9464\" or \"*:9464\"; \"\" = off. It asks for no "
             "password."},
    {.path = "http.show_payloads",
     .type = SETTING_BOOLEAN,
     .default_value = "false",
     .reload = true,
     .help = "Show the beginnings of the last dead letters' payloads there, and rows that "
             "PostgreSQL quotes."},
    {.path = "http.admin",
     .type = SETTING_BOOLEAN,
     .default_value = "false",
     .help = "Let the page act: retry, purge and show dead letters, acknowledge gaps, try a "
             "message, tap a rule."},
    {.path = "http.token",
     .type = SETTING_TEXT,
     .secret = true,
     .example = "\"${HTTP_TOKEN}\"",
     .help = "Token that these actions ask for, at least 16 characters; better in a file named by "
             "token_file."},

    GROUP("log", "What is written to standard error."),
    {.path = "log.level",
     .type = SETTING_CHOICE,
     .default_value = "\"info\"",
     .choices = "debug|info|warn|error",
     .reload = true,
     .help = "Lines of this level and of more important ones are written."},
    {.path = "log.format",
     .type = SETTING_CHOICE,
     .default_value = "\"text\"",
     .choices = "text|json",
     .reload = true,
     .help = "\"text\" is for people, \"json\" for programs."},

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
     .type = SETTING_TEXTS,
     .default_value = "!",
     .reload = true,
     .in_sample = true,
     .example = "\"devices/{device}/telemetry\"",
     .help = "Topic of the messages, or a list of them: {x} takes one level, {x...} the rest; "
             "also + and #."},
    {.path = "rules.qos",
     .type = SETTING_INTEGER,
     .default_value = "1",
     .max = 2,
     .reload = true,
     .help = "Quality of service it subscribes with: 0 (may be lost), 1 or 2."},
    TEXT_OF_RULE(
        "rules.share", "\"\"", "\"bridges\"",
        "Name of a group of bridges that share the messages ($share/GROUP/…); \"\" = none."),
    {.path = "rules.retained",
     .type = SETTING_CHOICE,
     .default_value = "\"new\"",
     .choices = "new|store|ignore",
     .reload = true,
     .help = "Retained messages: \"new\" when an edit brings the topic, \"store\" at every "
             "connection, \"ignore\" never."},
    TEXT_OF_RULE("rules.format", "\"json\"", NULL,
                 "What the payload is: json, text, raw (bytes), csv, influx, msgpack, cbor, "
                 "protobuf, sparkplug_b."),
    {.path = "rules.compression",
     .type = SETTING_CHOICE,
     .default_value = "\"none\"",
     .choices = "none|gzip|zlib|zstd|auto",
     .reload = true,
     .help =
         "How the payload is compressed; \"auto\" tells by its first bytes, for formats of text."},
    {.path = "rules.max_decoded",
     .type = SETTING_SIZE,
     .default_value = "\"8MB\"",
     .min = 1 * KB,
     .max = PACKET_MAX,
     .reload = true,
     .help = "A compressed payload that holds more than this is rejected."},
    SWITCH_OF_RULE(
        "rules.lenient", "false",
        "JSON: of a name that stands twice the last counts; NaN and Infinity are null, or "
        "themselves in float columns."),
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
    {.path = "rules.compute",
     .type = SETTING_COLUMNS,
     .reload = true,
     .example = "{ day = \"time::date\"; power = \"voltage * current\"; }",
     .help = "column = \"SQL expression\" over the other columns; those that the table lacks carry "
             "a \"::type\"."},
    TEXT_OF_RULE(
        "rules.notify", NULL, "\"telemetry\"",
        "NOTIFY this channel in the transaction that stores rows: {\"rule\":…,\"rows\":…}."),
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
    {.path = "rules.time_range",
     .type = SETTING_TEXTS,
     .reload = true,
     .example = "(\"2000-01-01\", \"1d\")",
     .help = "Earliest and latest time that is believed: a date, or a duration before and after "
             "receipt; \"\" = any."},
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
    TEXT_OF_RULE("rules.newest", NULL, "\"time\"",
                 "With \"update\": the column by which an older row never overwrites a newer one."),
    {.path = "rules.retry_for",
     .type = SETTING_DURATION,
     .default_value = "\"0s\"",
     .min = 0,
     .max = 365 * DAYS,
     .reload = true,
     .help = "How long messages refused by a foreign key or for want of a partition are tried "
             "again, unacknowledged."},
    SWITCH_OF_RULE("rules.create", "false",
                   "Create the table, or columns that it lacks; the types come from \"::type\" in "
                   "the expressions."),
    {.path = "rules.create_sql",
     .type = SETTING_TEXTS,
     .reload = true,
     .example = "(\"create index on {table} (device, time desc)\")",
     .help = "Statements for the transaction that creates the table; {table} is its name."},
    SWITCH_OF_RULE(
        "rules.add_columns", "false",
        "Keys of the payload that no column takes become columns of the table, which the role "
        "must own."),
    TEXT_OF_RULE("rules.sql", NULL, "\"insert into t select … from batch\"",
                 "Instead of table: your own SQL over the batch, a table of the columns above."),
    GROUP_OF_RULE("rules.partition", "Keep the table in partitions by time; drop old ones."),
    TEXT_OF_RULE(
        "rules.partition.by", "!", "\"time\"",
        "The column with the time: timestamptz, timestamp or date. It is part of the key."),
    {.path = "rules.partition.every",
     .type = SETTING_DURATION,
     .default_value = "\"1d\"",
     .min = 60 * 1000,
     .max = 366 * DAYS,
     .reload = true,
     .help = "The span of one partition, in UTC; weeks begin on Monday. Whole days for a date."},
    {.path = "rules.partition.keep",
     .type = SETTING_DURATION,
     .default_value = "\"0s\"",
     .example = "\"90d\"",
     .min = 0,
     .max = 36500 * DAYS,
     .reload = true,
     .help = "A partition is dropped when all of it is older; \"0s\" = never."},
    SWITCH_OF_RULE("rules.partition.timescale", "false",
                   "Create a hypertable of TimescaleDB with a retention policy instead."),
    GROUP_OF_RULE("rules.csv", "How lines and columns of the format \"csv\" are written."),
    TEXT_OF_RULE("rules.csv.delimiter", "\",\"", NULL,
                 "The character between two columns; \"\\t\" is a tab."),
    TEXT_OF_RULE("rules.csv.quote", "\"\\\"\"", NULL,
                 "The character around a value that holds delimiters or lines; \"\" = none."),
    SWITCH_OF_RULE("rules.csv.header", "false", "The first line names the columns."),
    {.path = "rules.csv.names",
     .type = SETTING_TEXTS,
     .example = "(\"time\", \"temperature\")",
     .reload = true,
     .help = "Names of the columns, where no header has them; each row has as many."},
    TEXT_OF_RULE("rules.csv.comment", "\"\"", "\"#\"",
                 "Lines that begin so are left out; \"\" = none."),
    GROUP_OF_RULE("rules.influx", "How the format \"influx\" (line protocol) is written."),
    {.path = "rules.influx.precision",
     .type = SETTING_CHOICE,
     .default_value = "\"ns\"",
     .choices = "ns|us|ms|s",
     .reload = true,
     .help = "Unit of the timestamps."},
    GROUP_OF_RULE("rules.protobuf", "Which message the format \"protobuf\" reads."),
    TEXT_OF_RULE("rules.protobuf.descriptor", NULL, "\"/etc/mqtt2pg/sensor.desc\"",
                 "The descriptor set: protoc --include_imports -o sensor.desc sensor.proto."),
    TEXT_OF_RULE("rules.protobuf.message", NULL, "\"plant.Reading\"",
                 "Full name of the message in it."),
    GROUP_OF_RULE("rules.sparkplug", "How the format \"sparkplug_b\" is treated."),
    {.path = "rules.sparkplug.rebirth",
     .type = SETTING_CHOICE,
     .default_value = "\"never\"",
     .choices = "never|unknown|gap",
     .reload = true,
     .help =
         "Ask an edge node for a new BIRTH: when metrics are \"unknown\", or at a \"gap\" too."},
    SWITCH_OF_RULE("rules.sparkplug.cluster", "false",
                   "All of broker.url are one cluster: a BIRTH from one counts for DATA from all."),
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
    SWITCH_OF_RULE("rules.ack.retain", "false",
                   "The broker keeps the last answer for later subscribers."),
    {.path = "rules.ack.fields",
     .type = SETTING_COLUMNS,
     .reload = true,
     .example =
         "{ status = \"@status\"; id = \"$.id\"; at = \"@stored_at\"; reason = \"@reason\"; }",
     .help = "Members of the answer, a JSON object; without it status and reason."},
};

const size_t setting_count = sizeof(settings) / sizeof(settings[0]);
