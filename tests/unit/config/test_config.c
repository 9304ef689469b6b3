/* Values, defaults, includes, and the configuration shown and compared. SPDX-License-Identifier:
 * MIT */
#include "config/settings.h"
#include "config_case.h"

static void test_defaults(void)
{
    struct config *config = case_sound("");
    CHECK_INT_EQ(config->broker.url_count, 1);
    CHECK_TEXT_EQ(config->broker.urls[0], "mqtt://localhost:1883");
    CHECK_TEXT_EQ(config->broker.client_id, "mqtt2pg");
    CHECK(config->broker.mqtt5);
    CHECK(config->broker.username == NULL);
    CHECK(config->broker.password == NULL);
    CHECK_INT_EQ(config->broker.keepalive_ms, 30000);
    CHECK_INT_EQ(config->broker.session_expiry_ms, INT64_C(7) * 86400 * 1000);
    CHECK_INT_EQ(config->broker.receive_maximum, 65535);
    CHECK_INT_EQ(config->broker.max_packet_bytes, 2 << 20);
    CHECK_TEXT_EQ(config->broker.status_topic, "mqtt2pg/mqtt2pg/status");
    CHECK(config->broker.tls.ca_file == NULL);
    CHECK(config->broker.tls.cert_file == NULL);
    CHECK(config->broker.tls.key_file == NULL);
    CHECK(config->broker.tls.verify);
    CHECK_TEXT_EQ(config->database.conninfo, "");
    CHECK(config->database.password == NULL);
    CHECK_TEXT_EQ(config->database.schema, "mqtt2pg");
    CHECK_TEXT_EQ(config->database.client_id, "mqtt2pg");
    CHECK_INT_EQ(config->database.connect_ms, 10000);
    CHECK_INT_EQ(config->database.statement_ms, 60000);
    CHECK_TEXT_EQ(config->journal.directory, "/var/lib/mqtt2pg");
    CHECK_INT_EQ(config->journal.max_bytes, INT64_C(10) << 30);
    CHECK_INT_EQ(config->journal.sync_ms, 100);
    CHECK_INT_EQ(config->journal.keep_ms, 3600 * 1000);
    CHECK(!config->journal.read_only);
    CHECK_INT_EQ(config->batch.max_rows, 10000);
    CHECK_INT_EQ(config->batch.max_bytes, 8 << 20);
    CHECK_INT_EQ(config->batch.max_delay_ms, 100);
    CHECK_TEXT_EQ(config->http.listen, "127.0.0.1:9464");
    CHECK_INT_EQ(config->log.level, LOG_INFO);
    CHECK_INT_EQ(config->log.format, LOG_TEXT);
    CHECK_INT_EQ(config->shutdown_ms, 20000);
    config_free(config);
}

static void test_rule_defaults(void)
{
    struct config *config = case_sound("");
    CHECK_INT_EQ(config->rule_count, 1);
    const struct rule_options *rule = &config->rules[0];
    CHECK_TEXT_EQ(rule->name, "r");
    CHECK_INT_EQ(rule->place.line, 2);
    CHECK_INT_EQ(rule->topic_count, 1);
    CHECK_TEXT_EQ(rule->topics[0].text, "a/{b}");
    CHECK_INT_EQ(rule->qos, 1);
    CHECK_TEXT_EQ(rule->share, "");
    CHECK_INT_EQ(rule->retained, RETAINED_NEW);
    CHECK_TEXT_EQ(rule->format.text, "json");
    CHECK_TEXT_EQ(rule->table.text, "t");
    CHECK(rule->sql.text == NULL);
    CHECK_INT_EQ(rule->column_count, 1);
    CHECK_TEXT_EQ(rule->columns[0].name, "x");
    CHECK_TEXT_EQ(rule->columns[0].expression, "$.x");
    CHECK_INT_EQ(rule->where_count, 0);
    CHECK(rule->rows.text == NULL);
    CHECK_INT_EQ(rule->on_conflict, CONFLICT_ERROR);
    CHECK_INT_EQ(rule->key_count, 0);
    CHECK(rule->newest.text == NULL);
    CHECK(!rule->create);
    CHECK(!rule->ack.wanted);
    config_free(config);
}

static void test_values(void)
{
    struct config *config = case_sound(
        "broker: { url = ( \"mqtt://a:1\", \"mqtts://b\" ); client_id = \"me\"; protocol = "
        "\"3.1.1\";\n"
        "  username = \"u\"; password = \"p\"; keepalive = \"2m\"; status_topic = "
        "\"s/{client_id}\"; };\n"
        "database = { conninfo = \"dbname=x\"; schema = \"y\"; statement_timeout = \"1h\", };\n"
        "journal: { directory = \"journal\"; max_size = \"64MB\"; sync = \"always\"; keep = \"0\"; "
        "}\n"
        "batch: { max_rows = 010; max_bytes = \"64KB\"; max_delay = \"1m\"; };\n"
        "http: { listen = \"\"; };\n"
        "log: { level = \"debug\"; format = \"json\"; };\n"
        "shutdown = \"1s\";\n");
    CHECK_INT_EQ(config->broker.url_count, 2);
    CHECK_TEXT_EQ(config->broker.urls[1], "mqtts://b");
    CHECK(!config->broker.mqtt5);
    CHECK_TEXT_EQ(config->broker.password, "p");
    CHECK_INT_EQ(config->broker.keepalive_ms, 120000);
    CHECK_TEXT_EQ(config->broker.status_topic, "s/me");
    CHECK_TEXT_EQ(config->database.conninfo, "dbname=x");
    CHECK_TEXT_EQ(config->database.client_id, "me");
    CHECK_INT_EQ(config->database.statement_ms, 3600 * 1000);
    char *directory = memory_printf("%s/journal", unit_scratch());
    CHECK_TEXT_EQ(config->journal.directory, directory);
    free(directory);
    CHECK_INT_EQ(config->journal.sync_ms, JOURNAL_SYNC_ALWAYS);
    CHECK_INT_EQ(config->journal.keep_ms, 0);
    CHECK_INT_EQ(config->batch.max_rows, 10); /* not octal */
    CHECK_TEXT_EQ(config->http.listen, "");
    CHECK_INT_EQ(config->log.level, LOG_DEBUG);
    CHECK_INT_EQ(config->log.format, LOG_JSON);
    CHECK_INT_EQ(config->shutdown_ms, 1000);
    config_free(config);

    config = case_sound("journal: { sync = \"never\"; }; batch: { max_rows = 0x10L; };");
    CHECK_INT_EQ(config->batch.max_rows, 16);
    CHECK_INT_EQ(config->journal.sync_ms, JOURNAL_SYNC_NEVER);
    config_free(config);
}

static const char full_rule[] =
    "rules = ( { name = \"full\"; topic = (\"d/{device}\", \"e/{device}\"); qos = 2; share = "
    "\"g\"; retained = "
    "\"ignore\";\n"
    "  format = \"text\"; table = \"public.t\"; rows = \"$.r[*]\"; where = ( \"$.a > 0\",\n"
    "  \"$.b is null\" );\n"
    "  columns = ( { name = \"Odd Name\"; value = \"$.x\"; }, { name = \"y\"; value = "
    "\"{device}\"; } );\n"
    "  on_conflict = \"update\"; key = [\"y\", \"Odd Name\"]; newest = \"y\"; create = true;\n"
    "  ack: { topic = \"@response_topic\"; on = \"rejected\"; qos = 0; retain = true;\n"
    "         fields = { status = \"@status\"; }; }; } );\n";

static void test_full_rule(void)
{
    struct config *config = case_load(full_rule, "");
    const struct rule_options *rule = &config->rules[0];
    CHECK_INT_EQ(rule->qos, 2);
    CHECK_TEXT_EQ(rule->share, "g");
    CHECK_INT_EQ(rule->retained, RETAINED_IGNORE);
    CHECK_INT_EQ(rule->where_count, 2);
    CHECK_TEXT_EQ(rule->where[1].text, "$.b is null");
    CHECK_INT_EQ(rule->where[0].place.line, 2);
    CHECK_INT_EQ(rule->where[1].place.line, 3); /* not that of the ")" behind it */
    CHECK_TEXT_EQ(rule->rows.text, "$.r[*]");
    CHECK_INT_EQ(rule->column_count, 2);
    CHECK_TEXT_EQ(rule->columns[0].name, "Odd Name");
    CHECK_INT_EQ(rule->columns[0].place.line, 4);
    CHECK_TEXT_EQ(rule->columns[1].expression, "{device}");
    CHECK_INT_EQ(rule->on_conflict, CONFLICT_UPDATE);
    CHECK_INT_EQ(rule->key_count, 2);
    CHECK_TEXT_EQ(rule->key[1].text, "Odd Name");
    CHECK_TEXT_EQ(rule->newest.text, "y");
    CHECK(rule->create);
    CHECK(rule->ack.wanted);
    CHECK_INT_EQ(rule->ack.place.line, 6);
    CHECK_TEXT_EQ(rule->ack.topic.text, "@response_topic");
    CHECK(!rule->ack.on_stored);
    CHECK(rule->ack.on_rejected);
    CHECK_INT_EQ(rule->ack.qos, 0);
    CHECK(rule->ack.retain);
    CHECK_INT_EQ(rule->ack.field_count, 1);
    config_free(config);

    config = case_load(
        "rules = ( { name = \"a\"; topic = \"a\"; table = \"t\"; columns = { x = \"$\"; };\n"
        "  ack: { topic = \"b\"; }; } );\n",
        "");
    rule = &config->rules[0];
    CHECK(rule->ack.on_stored && rule->ack.on_rejected);
    CHECK_INT_EQ(rule->ack.qos, 1);
    CHECK_INT_EQ(rule->ack.field_count, 0);
    config_free(config);
}

/* A configuration with mistakes comes back whole enough for the rules' compiler. */
static void test_broken_rule(void)
{
    struct problems problems = {0};
    const char *path =
        case_write("t.cfg", "rules = ( { name = 1; topic = 2; table = 3; format = 4; "
                            "where = 5; columns = { a = 6; b = \"$.b\"; }; } );");
    struct config *config = config_load(path, &problems);
    CHECK_INT_EQ(problems.errors, 6);
    CHECK(config != NULL && config->rule_count == 1);
    const struct rule_options *rule = &config->rules[0];
    CHECK(rule->name == NULL && rule->topic_count == 0 && rule->table.text == NULL);
    CHECK_INT_EQ(rule->where_count, 0);
    CHECK_INT_EQ(rule->column_count, 2);
    CHECK_TEXT_EQ(rule->columns[0].expression, "@topic");
    config_free(config);
    problems_fini(&problems);
}

/* Files in folders: each @include is meant from the folder of the file it stands in. */
static void test_includes(void)
{
    char *folder = memory_printf("%s/rules", unit_scratch());
    mkdir(folder, 0700);
    case_write("rules/all.cfg", "rules = (\n{ name = \"a\"; topic = \"a\"; table = \"t\";\n"
                                "@include \"more/columns.cfg\"\n qos = 7; } );\n");
    char *more = memory_printf("%s/more", folder);
    mkdir(more, 0700);
    case_write("rules/more/columns.cfg", "# columns\ncolumns = {\n x = 5;\n};\n");
    setenv("MQTT2PG_TEST_FOLDER", "rules", 1);
    struct config *config =
        case_load("log: { level = \"warn\"; }\n"
                  "  @include \"${MQTT2PG_TEST_FOLDER}/all.cfg\" shutdown = 3;\n"
                  "# @include \"nothing.cfg\"\nx = \"\n@include \\\"text\\\"\";\n",
                  "t.cfg:2: shutdown: a duration like \"20s\" is wanted, not the number 3\n"
                  "t.cfg:4: x: unknown setting\n"
                  "rules/more/columns.cfg:3: columns.x: an expression in quotes, like "
                  "\"$.temperature\", is wanted, not the number 5\n"
                  "rules/all.cfg:4: qos: 7 is out of range: 0 to 2\n");
    CHECK_INT_EQ(config->rule_count, 1);
    CHECK_INT_EQ(config->log.level, LOG_WARN);
    config_free(config);

    case_write("b.cfg", "@include \"t.cfg\"\n");
    config = case_load("@include \"b.cfg\"\n", "b.cfg:1: @include: \"@/t.cfg\" includes itself\n");
    CHECK(config == NULL);

    case_write("b.cfg", "log: {\n");
    config = case_load("@include \"b.cfg\"\n",
                       "b.cfg:1: the group that begins here is never closed: a \"}\" is missing\n");
    CHECK(config == NULL);
    free(folder);
    free(more);
}

/* A byte order mark and carriage returns, as other systems write them. */
static void test_foreign_text(void)
{
    struct config *config =
        case_load("\xef\xbb\xbflog: { level = \"warn\"; }\r\n"
                  "// a comment\r\n/* another\r\none */\r\nbatch = 5;\r\n" SOUND_RULE,
                  "t.cfg:5: batch: a group { … } is wanted, not the number 5\n");
    CHECK_INT_EQ(config->log.level, LOG_WARN);
    config_free(config);
}

static void test_texts(void)
{
    struct config *config = case_load(
        "rules = ( { name = \"a\"; topic = \"a\"; columns = { x = \"$\"; y = \"$$.a\"; };\n"
        "sql = \"insert into t\\n\"\n   \"select '\\\"'\"; } );\n",
        "");
    CHECK_TEXT_EQ(config->rules[0].sql.text, "insert into t\nselect '\"'");
    CHECK_TEXT_EQ(config->rules[0].columns[0].expression, "$");
    CHECK_TEXT_EQ(config->rules[0].columns[1].expression, "$$.a");
    config_free(config);
}

static void check_json(const char *text, const char *part)
{
    struct buf json = {0};
    struct config *config = case_sound(text);
    config_to_json(config, NULL, &json);
    if (strstr(buf_string(&json), part) == NULL) {
        CHECK_TEXT_EQ(buf_string(&json), part);
    }
    CHECK(strstr(buf_string(&json), "geheim") == NULL);
    buf_fini(&json);
    config_free(config);
}

static void test_json(void)
{
    check_json("broker: { username = \"a\\\"b\"; password = \"geheim\"; };",
               "\"username\":\"a\\\"b\",\"password\":\"***\",\"keepalive\":\"30s\"");
    check_json("database: { password = \"geheim\"; };", "\"conninfo\":\"\",\"password\":\"***\"");
    check_json("database: { conninfo = \"host=x password=geheim port=5\"; };",
               "\"conninfo\":\"host=x password=*** port=5\"");
    check_json("journal: { sync = \"always\"; max_size = \"3GB\"; };",
               "\"max_size\":\"3GB\",\"keep_free\":\"0\",\"sync\":\"always\"");
    check_json("broker: { protocol = \"3.1.1\"; };", "\"protocol\":\"3.1.1\"");
    check_json("log: { level = \"error\"; };", "\"log\":{\"level\":\"error\",\"format\":\"text\"}");
    check_json(
        "",
        "\"columns\":{\"x\":\"$.x\"},\"compute\":{},\"notify\":null,\"where\":[],\"rows\":null");
    check_json("", "\"sql\":null,\"partition\":null,\"csv\":{");
    check_json("", "\"sparkplug\":{\"rebirth\":\"never\",\"cluster\":false},\"ack\":null}]}");

    struct buf json = {0};
    struct config *config = case_load(full_rule, "");
    config_to_json(config, NULL, &json);
    const char *rule = strstr(buf_string(&json), "\"rules\":");
    CHECK_TEXT_EQ(rule,
                  "\"rules\":[{\"name\":\"full\",\"topic\":[\"d/{device}\",\"e/"
                  "{device}\"],\"qos\":2,\"share\":\"g\","
                  "\"retained\":\"ignore\",\"format\":\"text\",\"compression\":\"none\",\"max_"
                  "decoded\":\"8MB\",\"lenient\":false,\"table\":\"public.t\","
                  "\"columns\":{\"Odd Name\":\"$.x\",\"y\":\"{device}\"},"
                  "\"compute\":{},\"notify\":null,"
                  "\"where\":[\"$.a > 0\",\"$.b is null\"],\"rows\":\"$.r[*]\",\"time_range\":[],"
                  "\"on_conflict\":\"update\",\"key\":[\"y\",\"Odd "
                  "Name\"],\"newest\":\"y\",\"retry_for\":\"0\","
                  "\"create\":true,\"create_sql\":[],\"add_columns\":false,\"sql\":null,"
                  "\"partition\":null,\"csv\":{\"delimiter\":null,"
                  "\"quote\":null,"
                  "\"header\":false,\"names\":[],\"comment\":null},"
                  "\"influx\":{\"precision\":\"ns\"},"
                  "\"protobuf\":{\"descriptor\":null,\"message\":null},"
                  "\"sparkplug\":{\"rebirth\":\"never\",\"cluster\":false},\"ack\":{\"topic\":\"@"
                  "response_topic\","
                  "\"on\":[\"rejected\"],\"qos\":0,\"retain\":true,"
                  "\"fields\":{\"status\":\"@status\"}}}]}");
    buf_fini(&json);
    config_free(config);
}

static void test_restart_needed(void)
{
    static const struct {
        const char *change;
        const char *expected;
    } cases[] = {
        {"", ""},
        {"broker: { url = \"mqtt://localhost:1883\"; };", ""},
        {"log: { level = \"debug\"; format = \"json\"; };", ""},
        {"broker: { url = (\"mqtt://localhost:1883\", \"mqtt://b\"); };", "broker.url"},
        {"broker: { password = \"x\"; receive_maximum = 7; };",
         "broker.password, broker.receive_maximum"},
        {"broker: { url = \"mqtts://x\"; tls: { verify = true; }; protocol = \"3.1.1\"; };",
         "broker.url, broker.protocol"},
        {"journal: { directory = \"/x\"; sync = \"never\"; };", "journal.directory, journal.sync"},
        {"http: { listen = \"\"; };", "http.listen"},
    };
    struct config *old = case_sound("");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf names = {0};
        UNIT_CASE("%s", cases[i].change);
        struct config *new = case_sound(cases[i].change);
        config_restart_needed(old, new, &names);
        CHECK_TEXT_EQ(buf_string(&names), cases[i].expected);
        buf_fini(&names);
        config_free(new);
    }
    /* Shown is what is in effect: of the new one only what needs no restart. */
    struct buf shown = {0};
    struct config *reloaded =
        case_sound("http: { listen = \"127.0.0.1:9999\"; }; log: { level = \"debug\"; };");
    config_to_json(reloaded, old, &shown);
    CHECK(strstr(buf_string(&shown), "9999") == NULL);
    CHECK(strstr(buf_string(&shown), "\"listen\":\"127.0.0.1:9464\"") != NULL);
    CHECK(strstr(buf_string(&shown), "\"level\":\"debug\"") != NULL);
    buf_fini(&shown);
    config_free(reloaded);
    config_free(old);
    struct config *other = case_load(full_rule, "");
    struct buf names = {0};
    old = case_sound("");
    config_restart_needed(old, other, &names);
    CHECK_TEXT_EQ(buf_string(&names), ""); /* rules are taken at once */
    buf_fini(&names);
    config_free(old);
    config_free(other);
    config_free(NULL);
}

UNIT_MAIN("config", {"defaults", test_defaults}, {"rule_defaults", test_rule_defaults},
          {"values", test_values}, {"full_rule", test_full_rule}, {"broken_rule", test_broken_rule},
          {"includes", test_includes}, {"foreign_text", test_foreign_text}, {"texts", test_texts},
          {"json", test_json}, {"restart_needed", test_restart_needed})
