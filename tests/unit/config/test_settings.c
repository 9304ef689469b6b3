/* The table, the sample that is made of it, and the examples. SPDX-License-Identifier: MIT */
#include "config/settings.h"

#include <glob.h>

#include "base/file.h"
#include "config/config_fields.h"
#include "config_case.h"

/* The table says enough of each setting, and a field of a struct waits for it. */
static void test_table(void)
{
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        UNIT_CASE("%s", setting->path);
        CHECK(setting_find(setting->path) == setting); /* no path twice */
        CHECK(setting->help != NULL && strlen(setting->help) <= 110);
        CHECK(setting->help[strlen(setting->help) - 1] == '.');
        CHECK((field_of(setting) != NULL) == (setting->type != SETTING_GROUP));
        CHECK(setting->default_value != NULL || setting->example != NULL ||
              setting->type == SETTING_GROUP);
        bool ranged = setting->type == SETTING_INTEGER || setting->type == SETTING_DURATION ||
                      setting->type == SETTING_SYNC || setting->type == SETTING_SIZE;
        CHECK_INT_EQ(ranged, setting->max > 0);
        CHECK(setting->type != SETTING_CHOICE || setting->choices != NULL);
        CHECK(setting->reload ==
              (strncmp(setting->path, "log.", 4) == 0 || strncmp(setting->path, "rules.", 6) == 0 ||
               strcmp(setting->path, "http.show_payloads") == 0 ||
               strcmp(setting->path, "shutdown") == 0 || strncmp(setting->path, "batch.", 6) == 0));
    }
    CHECK(setting_find("broker.nothing") == NULL);
    CHECK_TEXT_EQ(setting_name(setting_find("rules.ack.topic")), "topic");
    CHECK(setting_is_in(setting_find("rules.ack.topic"), "rules.ack"));
    CHECK(!setting_is_in(setting_find("rules.ack.topic"), "rules"));
    CHECK(setting_is_in(setting_find("shutdown"), ""));
}

/* What users were promised, as the table has it. */
static void test_contract(void)
{
    static const struct {
        const char *path;
        const char *value;
    } defaults[] = {
        {"broker.url", "\"mqtt://localhost:1883\""},
        {"broker.client_id", "\"mqtt2pg\""},
        {"broker.protocol", "\"5\""},
        {"broker.keepalive", "\"30s\""},
        {"broker.session_expiry", "\"7d\""},
        {"broker.receive_maximum", "65535"},
        {"broker.max_packet", "\"2MB\""},
        {"broker.tls.verify", "true"},
        {"broker.status_topic", "\"mqtt2pg/{client_id}/status\""},
        {"database.schema", "\"mqtt2pg\""},
        {"journal.directory", "\"/var/lib/mqtt2pg\""},
        {"journal.max_size", "\"10GB\""},
        {"journal.sync", "\"100ms\""},
        {"journal.keep", "\"1h\""},
        {"batch.max_rows", "10000"},
        {"batch.max_bytes", "\"8MB\""},
        {"batch.max_delay", "\"100ms\""},
        {"http.listen", "\"127.0.0.1:9464\""},
        {"http.show_payloads", "false"},
        {"http.admin", "false"},
        {"log.level", "\"info\""},
        {"log.format", "\"text\""},
        {"shutdown", "\"20s\""},
        {"rules.name", "!"},
        {"rules.topic", "!"},
        {"rules.qos", "1"},
        {"rules.share", "\"\""},
        {"rules.retained", "\"new\""},
        {"rules.format", "\"json\""},
        {"rules.on_conflict", "\"error\""},
        {"rules.create", "false"},
        {"rules.ack.on", "(\"stored\", \"rejected\")"},
        {"rules.ack.qos", "1"},
        {"rules.ack.retain", "false"},
    };
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        const struct setting *setting = setting_find(defaults[i].path);
        UNIT_CASE("%s", defaults[i].path);
        CHECK_TEXT_EQ(setting == NULL ? NULL : setting->default_value, defaults[i].value);
    }
}

/* The committed sample is the generated one. UPDATE_SAMPLE=1 writes it. */
static void test_sample(void)
{
    const char *path = "config/mqtt2pg.cfg";
    struct buf sample = {0};
    struct buf committed = {0};
    struct error error = {0};
    settings_append_sample(&sample);
    if (getenv("UPDATE_SAMPLE") != NULL) {
        FILE *file = fopen(path, "w");
        CHECK(file != NULL && fputs(buf_string(&sample), file) >= 0 && fclose(file) == 0);
    }
    CHECK_INT_EQ(file_load(path, 1 << 20, &committed, &error), OUTCOME_OK);
    if (!CHECK(slice_equal(buf_slice(&sample), buf_slice(&committed)))) {
        printf("%s is not what the table says: UPDATE_SAMPLE=1 make unit T=config/test_settings\n",
               path);
    }
    struct config *config = case_load(buf_string(&sample), "");
    CHECK(config != NULL && config->rule_count == 1);
    config_free(config);
    buf_fini(&sample);
    buf_fini(&committed);
}

/* The manual page's part between its two marks is the table's; UPDATE_SAMPLE=1 writes it. */
static void test_manual(void)
{
    const char *path = "config/man/mqtt2pg.cfg.5";
    static const char begin[] = ".\\\" Made of src/config/settings_table.c: the next lines.\n";
    static const char end[] = ".\\\" Made of src/config/settings_table.c: up to here.\n";
    struct buf page = {0};
    struct buf wanted = {0};
    struct error error;
    CHECK_INT_EQ(file_load(path, 1 << 20, &page, &error), OUTCOME_OK);
    const char *from = strstr(buf_string(&page), begin);
    const char *to = from == NULL ? NULL : strstr(from, end);
    if (!CHECK(to != NULL)) {
        return;
    }
    size_t head = (size_t) (from - buf_string(&page)) + strlen(begin);
    buf_append(&wanted, page.data, head);
    settings_append_man(&wanted);
    buf_append_text(&wanted, to);
    if (getenv("UPDATE_SAMPLE") != NULL) {
        FILE *file = fopen(path, "w");
        CHECK(file != NULL && fputs(buf_string(&wanted), file) >= 0 && fclose(file) == 0);
    } else if (!CHECK(slice_equal(buf_slice(&page), buf_slice(&wanted)))) {
        printf("%s is not what the table says: UPDATE_SAMPLE=1 make unit T=config/test_settings\n",
               path);
    }
    buf_fini(&page);
    buf_fini(&wanted);
}

/* Takes the sign away from every setting that is switched off: "#qos = 1;" becomes "qos = 1;". What
 * stands in a group that is switched off has four spaces behind the sign, words have one. */
static void uncomment(struct buf *out, const char *sample)
{
    while (*sample != '\0') {
        size_t length = strcspn(sample, "\n") + 1;
        const char *text = sample + strspn(sample, " ");
        while (text[0] == '#' && (text[1] != ' ' || strncmp(text, "#    ", 5) == 0)) {
            text += 1 + strspn(text + 1, " ");
        }
        buf_append(out, text, length - (size_t) (text - sample));
        sample += length;
    }
}

/* Each line of the sample is right also when it is switched on, but for those that do not go
 * together. */
static void test_uncommented_sample(void)
{
    struct buf sample = {0};
    struct buf all = {0};
    setenv("MQTT_PASSWORD", "x", 1);
    setenv("DATABASE_PASSWORD", "x", 1);
    setenv("KEY_PASSWORD", "x", 1);
    setenv("HTTP_TOKEN", "0123456789abcdef", 1);
    settings_append_sample(&sample);
    uncomment(&all, strstr(buf_string(&sample), "\nbroker:"));
    CHECK(strstr(buf_string(&all), "\nqos = 1;") != NULL);
    CHECK(strstr(buf_string(&all), "\nfields = {") != NULL);
    struct problems problems = {0};
    struct config *config = config_load(case_write("t.cfg", buf_string(&all)), &problems);
    static const char *const expected[] = {
        "broker.tls.ca_file: could not open",
        "broker.tls.cert_file: could not open",
        "broker.tls.key_file: could not open",
        "warning: broker.tls: has no effect",
        "sql: stands beside table",
        "newest: works only with",
        "key: works only with",
        "compute: has no effect on a rule with sql",
        "create_sql: is run when the table is created",
        "warning: csv: has no effect with format = \"json\"",
        "warning: influx: has no effect",
        "warning: protobuf: has no effect",
        "warning: sparkplug: has no effect",
        "warning: max_decoded: has no effect without compression",
    };
    const size_t count = sizeof(expected) / sizeof(expected[0]);
    CHECK_INT_EQ(problems.count, count);
    for (size_t i = 0; i < problems.count && i < count; i++) {
        if (strstr(problems.list[i].text, expected[i]) == NULL) {
            CHECK_TEXT_EQ(problems.list[i].text, expected[i]);
        }
    }
    problems_fini(&problems);
    config_free(config);
    buf_fini(&sample);
    buf_fini(&all);
}

static void check_example(const char *path)
{
    struct problems problems = {0};
    UNIT_CASE("%s", path);
    struct config *config = config_load(path, &problems);
    CHECK_INT_EQ(problems.count, 0);
    problems_print(&problems, stdout);
    CHECK(config != NULL && config->rule_count > 0);
    config_free(config);
    problems_fini(&problems);
}

static void test_examples(void)
{
    glob_t found;
    check_example("config/mqtt2pg.cfg");
    if (CHECK_INT_EQ(glob("config/examples/*.cfg", 0, NULL, &found), 0)) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            check_example(found.gl_pathv[i]);
        }
        globfree(&found);
    }
}

static void test_pages(void)
{
    struct buf table = {0};
    struct buf page = {0};
    settings_append_table(&table);
    settings_append_markdown(&page);
    for (size_t i = 0; i < setting_count; i++) {
        UNIT_CASE("%s", settings[i].path);
        CHECK(settings[i].type == SETTING_GROUP ||
              strstr(buf_string(&table), settings[i].path) != NULL);
        CHECK(strstr(buf_string(&page), settings[i].help) != NULL);
    }
    CHECK(strstr(buf_string(&page), "| `keepalive` | duration, \"1s\" to \"18h\" | `\"30s\"` | ms, "
                                    "s, m, h, d | restart |") != NULL);
    CHECK(strstr(buf_string(&page), "| `name` | text | must be given |  | reload |") != NULL);
    buf_fini(&table);
    buf_fini(&page);
}

UNIT_MAIN("settings", {"table", test_table}, {"contract", test_contract}, {"sample", test_sample},
          {"uncommented_sample", test_uncommented_sample}, {"examples", test_examples},
          {"manual", test_manual}, {"pages", test_pages})
