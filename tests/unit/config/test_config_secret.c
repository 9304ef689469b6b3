/* SPDX-License-Identifier: MIT */
#include "config/config_secret.h"

#include "config_case.h"

/* Loads a configuration whose broker.password_file is `content` with this mode. */
static struct config *load_with_file(const char *content, mode_t mode, const char *expected)
{
    chmod(case_write("password", content), mode);
    return case_load("broker: { username = \"u\"; password_file = \"password\"; };" SOUND_RULE,
                     expected);
}

static void test_file(void)
{
    static const struct {
        const char *content;
        mode_t mode;
        const char *password; /* NULL: refused */
        const char *expected;
    } cases[] = {
        {"geheim", 0600, "geheim", ""},
        {"geheim\n", 0400, "geheim", ""},
        {"geheim\r\n", 0700, "geheim", ""},
        {"geheim\n\n", 0600, "geheim\n", ""},
        {" ge heim ", 0600, " ge heim ", ""},
        {"geheim${x}", 0600, "geheim${x}", ""},
        {"geheim\n", 0640, NULL,
         "t.cfg:1: broker.password_file: file \"@/password\" can be read by others (mode 0640): "
         "chmod 600 password\n"},
        {"geheim\n", 0604, NULL,
         "t.cfg:1: broker.password_file: file \"@/password\" can be read by others (mode 0604): "
         "chmod 600 password\n"},
        {"", 0600, NULL, "t.cfg:1: broker.password_file: file \"@/password\" is empty\n"},
        {"\n", 0600, NULL, "t.cfg:1: broker.password_file: file \"@/password\" is empty\n"},
        {"a\xff", 0600, NULL,
         "t.cfg:1: broker.password_file: file \"@/password\" holds a NUL byte or is not UTF-8\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%zu", i);
        struct config *config = load_with_file(cases[i].content, cases[i].mode, cases[i].expected);
        CHECK_TEXT_EQ(config->broker.password, cases[i].password);
        config_free(config);
    }
}

/* Whatever may hold a secret has such a twin; what stands in it is checked as if it stood here. */
static void test_conninfo(void)
{
    case_write("conninfo", "host=db password=geheim\n");
    struct config *config = case_sound("database: { conninfo_file = \"conninfo\"; };");
    CHECK_TEXT_EQ(config->database.conninfo, "host=db password=geheim");
    config_free(config);
    config_free(case_load("database: { conninfo_file = \"conninfo\"; conninfo = \"\"; "
                          "password = \"x\"; };" SOUND_RULE,
                          "t.cfg:1: database.conninfo_file: holds a password, and another one is "
                          "given: take one of them out\n"));
    config_free(
        case_load("database: { conninfo_file = \"conninfo\"; conninfo = \"host=x\"; };" SOUND_RULE,
                  "t.cfg:1: database.conninfo_file: stands beside conninfo: give one of them\n"));
    case_write("conninfo", "host=db nonsense");
    config_free(case_load("database: { conninfo_file = \"conninfo\"; };" SOUND_RULE,
                          "t.cfg:1: database.conninfo is malformed: missing \"=\" after \"…\" in "
                          "connection info string; write like host=db dbname=telemetry "
                          "user=bridge, or a postgresql:// URI\n"));
}

static void test_missing_file(void)
{
    config_free(
        case_load("database: { password_file = \"/nonexistent/x\"; };" SOUND_RULE,
                  "t.cfg:1: database.password_file: could not open file \"/nonexistent/x\": "
                  "No such file or directory\n"));
    config_free(case_load(
        "database: { password_file = 5; };" SOUND_RULE,
        "t.cfg:1: database.password_file: a text in quotes is wanted, not the number 5\n"));
}

static void test_both(void)
{
    case_write("password", "x");
    config_free(
        case_load("broker: { password = \"geheim\"; password_file = \"password\"; };" SOUND_RULE,
                  "t.cfg:1: broker.password_file: stands beside password: give one of them\n"));
    config_free(
        case_load("broker: { password_file = \"password\"; password = \"geheim\"; };" SOUND_RULE,
                  "t.cfg:1: broker.password_file: stands beside password: give one of them\n"));
    struct config *config =
        case_sound("database: { password_file = \"password\"; password = \"${T_UNSET:-}\"; };");
    CHECK_TEXT_EQ(config->database.password, "x");
    config_free(config);
}

/* A file of root's that its group may read, as systemd and Kubernetes make them for a service that
 * is not root. */
static void test_group_of_root(void)
{
    const gid_t nobody = 65534;
    const char *path = case_write("password", "geheim");
    if (geteuid() != 0) {
        return; /* only root can set this up */
    }
    CHECK(chown(path, 0, nobody) == 0 && chmod(path, 0440) == 0);
    CHECK(chmod(unit_scratch(), 0755) == 0);
    chmod(case_write("t.cfg", "broker: { password_file = \"password\"; };" SOUND_RULE), 0644);
    char *file = memory_printf("%s/t.cfg", unit_scratch());
    CHECK(setegid(nobody) == 0 && seteuid(nobody) == 0);
    struct problems problems = {0};
    struct config *config = config_load(file, &problems);
    CHECK(seteuid(0) == 0 && setegid(0) == 0);
    CHECK_INT_EQ(problems.count, 0);
    CHECK(config != NULL && config->broker.password != NULL);
    config_free(config);
    problems_fini(&problems);
    free(file);
}

/* The lines that a world-readable file gives. */
static void check_told(const char *text, const char *expected, int errors)
{
    struct problems problems = {0};
    struct buf lines = {0};
    const char *path = case_write("t.cfg", text);
    chmod(path, 0644);
    config_free(config_load(path, &problems));
    case_append_problems(&lines, &problems);
    CHECK_TEXT_EQ(buf_string(&lines), expected);
    CHECK_INT_EQ(problems.errors, errors);
    buf_fini(&lines);
    problems_fini(&problems);
}

static void check_warning(const char *text, const char *expected)
{
    check_told(text, expected, 0);
}

static void test_warning(void)
{
    check_warning(
        "broker: {\n password = \"geheim\"; };" SOUND_RULE,
        "t.cfg:2: warning: broker.password: a password stands in a file that everybody can "
        "read (mode 0644): chmod 600 t.cfg, or move it to a password_file\n");
    check_warning(
        "database: { conninfo = \"postgresql://u:geheim@h/d\"; };" SOUND_RULE,
        "t.cfg:1: warning: database.conninfo: a password stands in a file that everybody can "
        "read (mode 0644): chmod 600 t.cfg, or move it to a password_file\n");
    check_warning("broker: { password = \"${T_PASSWORD:-}\"; };" SOUND_RULE, "");
    check_warning("database: { conninfo = \"host=x\"; };" SOUND_RULE, "");
    check_told(
        "database: { conninfo = \"jdbc:postgresql://h/d\"; };" SOUND_RULE,
        "t.cfg:1: database.conninfo is malformed: missing \"=\" after \"…\" in connection info "
        "string; write like host=db dbname=telemetry user=bridge, or a postgresql:// URI\n",
        1);
}

static void test_mask(void)
{
    static const struct {
        const char *conninfo;
        const char *shown;
        bool secret;
    } cases[] = {
        {"", "", false},
        {"host=x dbname=y", "host=x dbname=y", false},
        {"host=x password=geheim", "host=x password=***", true},
        {"password = geheim host=x", "password=*** host=x", true},
        {"password='ge heim\\' x' host=x", "password=*** host=x", true},
        {"password=ge\\ heim host=x", "password=*** host=x", true},
        {"PASSWORD=geheim", "PASSWORD=***", true},
        {"sslpassword=geheim", "sslpassword=***", true},
        {"host='a b' port=5", "host='a b' port=5", false},
        {"password=", "password=***", true},
        {"host= password=geheim", "host=***", true},
        {"password='geheim", "***", true},
        {"geheim", "***", true},
        {"host=x geheim", "***", true},
        {"postgresql://host/db", "postgresql://host/db", false},
        {"postgresql://host:5432/db", "postgresql://host:5432/db", false},
        {"postgresql://user@host:5432/db", "postgresql://user@host:5432/db", false},
        {"postgresql://user:geheim@host:5432/db", "postgresql://user:***@host:5432/db", true},
        {"postgres://user:geh@eim@host/db", "postgres://user:***@host/db", true},
        {"postgresql://h/d?user=u&password=geheim&x=y", "postgresql://h/d?user=u&password=***&x=y",
         true},
        {"postgresql://h/d?pass%77ord=geheim", "postgresql://h/d?pass%77ord=***", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        UNIT_CASE("%s", cases[i].conninfo);
        CHECK_INT_EQ(config_secret_mask_conninfo(&out, cases[i].conninfo), cases[i].secret);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].shown);
        buf_fini(&out);
    }
}

UNIT_MAIN("config_secret", {"file", test_file}, {"missing_file", test_missing_file},
          {"both", test_both}, {"conninfo", test_conninfo}, {"group_of_root", test_group_of_root},
          {"warning", test_warning}, {"mask", test_mask})
