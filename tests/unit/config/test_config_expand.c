/* SPDX-License-Identifier: MIT */
#include "config/config_expand.h"

#include "config_case.h"

static void test_expand(void)
{
    static const struct {
        const char *text;
        const char *expected; /* NULL: a mistake */
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$.a | unix_ms", "$.a | unix_ms"},
        {"$", "$"},
        {"$$", "$$"},
        {"$$.a", "$$.a"},
        {"a$", "a$"},
        {"{device}", "{device}"},
        {"${T_SET}", "value"},
        {"x${T_SET}y${T_SET}", "xvalueyvalue"},
        {"${T_SET:-other}", "value"},
        {"${T_UNSET:-other}", "other"},
        {"${T_UNSET:-}", ""},
        {"${T_EMPTY}", ""},
        {"${T_EMPTY:-other}", "other"},
        {"${T_UNSET:-a:-b{c}", "a:-b{c"},
        {"${T_NESTED}", "${T_SET}"}, /* not looked at again */
        {"$${T_SET}", "${T_SET}"},
        {"$$${T_SET}", "$${T_SET}"},
        {"$${", "${"},
        {"${T_UNSET}", NULL},
        {"${T_SET", NULL},
        {"${}", NULL},
        {"${1}", NULL},
        {"${T_SET-x}", NULL},
        {"${ T_SET}", NULL},
        {"${", NULL},
    };
    setenv("T_SET", "value", 1);
    setenv("T_EMPTY", "", 1);
    setenv("T_NESTED", "${T_SET}", 1);
    unsetenv("T_UNSET");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        struct error error = {0};
        UNIT_CASE("%s", cases[i].text);
        bool good = config_expand(&out, slice_of(cases[i].text), &error);
        CHECK_INT_EQ(good, cases[i].expected != NULL);
        if (cases[i].expected != NULL) {
            CHECK_TEXT_EQ(buf_string(&out), cases[i].expected);
            bool needed = config_expand_needed(slice_of(cases[i].text));
            CHECK(needed || strstr(cases[i].text, "$${") != NULL ||
                  strcmp(cases[i].text, cases[i].expected) == 0);
        }
        buf_fini(&out);
    }
}

/* A container is configured by its environment: numbers and booleans may come from there too. */
static void test_types(void)
{
    setenv("T_ROWS", "77", 1);
    setenv("T_VERIFY", "true", 1);
    setenv("T_LEVEL", "debug", 1);
    setenv("T_KEEP", "2h", 1);
    struct config *config =
        case_sound("batch: { max_rows = \"${T_ROWS}\"; };\n"
                   "http: { listen = \"*:${T_PORT:-8080}\"; };\n"
                   "log: { level = \"${T_LEVEL}\"; };\n"
                   "journal: { keep = \"${T_KEEP}\"; };\n"
                   "broker: { username = \"${T_USER:-}\"; password = \"${T_PASSWORD:-}\";\n"
                   "  password_file = \"${T_PASSWORD_FILE:-}\"; tls: { ca_file = \"${T_CA:-}\"; "
                   "verify = \"${T_VERIFY}\"; };\n"
                   "  url = \"${T_URL:-mqtts://x}\"; };\n");
    CHECK_INT_EQ(config->batch.max_rows, 77);
    CHECK(config->broker.tls.verify);
    CHECK_TEXT_EQ(config->http.listen, "*:8080");
    CHECK_INT_EQ(config->log.level, LOG_DEBUG);
    CHECK_INT_EQ(config->journal.keep_ms, 7200 * 1000);
    CHECK(config->broker.username == NULL); /* left empty is left out */
    CHECK(config->broker.password == NULL);
    CHECK(config->broker.tls.ca_file == NULL);
    config_free(config);

    setenv("T_ROWS", "7000000000", 1);
    config = case_load("batch: { max_rows = \"${T_ROWS}\"; };" SOUND_RULE,
                       "t.cfg:1: batch.max_rows: 7000000000 is out of range: 1 to 1000000\n");
    config_free(config);
}

/* Bytes of the environment that are no UTF-8 would be refused by broker and database. */
static void test_bytes(void)
{
    setenv("T_BYTES", "a\xff", 1);
    config_free(case_load("broker: { username = \"${T_BYTES}\"; };" SOUND_RULE,
                          "t.cfg:1: broker.username: the text is not valid UTF-8\n"));
}

UNIT_MAIN("config_expand", {"expand", test_expand}, {"types", test_types}, {"bytes", test_bytes})
