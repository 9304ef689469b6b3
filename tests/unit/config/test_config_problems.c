/* Runs problems.cases: what each mistake prints. SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "config_case.h"

static const char cases_file[] = "tests/unit/config/problems.cases";

/* One case, cut out of the file. */
struct written_case {
    struct slice title;
    struct slice configuration;
    struct slice expected; /* lines, with empty ones behind */
};

static struct slice between(const char *from, const char *to)
{
    return slice_make(from, (size_t) (to - from));
}

/* Takes the next case off `at`; false at the end. */
static bool next_case(const char **at, struct written_case *out)
{
    const char *begin = strstr(*at, "\n=== ");
    if (begin == NULL) {
        return false;
    }
    begin += strlen("\n=== ");
    const char *title_end = strchr(begin, '\n');
    const char *rule = strstr(title_end, "\n---\n");
    const char *expected = rule + strlen("\n---\n");
    const char *end = strstr(expected - 1, "\n=== ");
    end = end == NULL ? expected + strlen(expected) : end + 1;
    *out = (struct written_case){
        .title = between(begin, title_end),
        .configuration = between(title_end + 1, rule + 1),
        .expected = between(expected, end),
    };
    *at = end - 1;
    return true;
}

static void run_case(const struct written_case *written)
{
    char *configuration = memory_copy(written->configuration);
    char *title = memory_copy(written->title);
    struct slice expected = written->expected;
    while (expected.length > 0 && expected.data[expected.length - 1] == '\n' &&
           (expected.length == 1 || expected.data[expected.length - 2] == '\n')) {
        expected.length--;
    }
    char *lines = memory_copy(expected);
    bool alone = strstr(title, "(alone)") != NULL;
    char *whole = memory_printf("%s%s", configuration, alone ? "" : SOUND_RULE);
    UNIT_CASE("%s", title);
    config_free(case_load(whole, lines));
    free(whole);
    free(lines);
    free(configuration);
    free(title);
}

static void test_cases(void)
{
    struct buf file = {0};
    struct error error;
    struct written_case written;
    int count = 0;
    if (!CHECK(file_load(cases_file, 1 << 20, &file, &error) == OUTCOME_OK)) {
        return;
    }
    const char *at = buf_string(&file);
    while (next_case(&at, &written)) {
        run_case(&written);
        count++;
    }
    UNIT_CASE("%s", "");
    CHECK(count >= 58);
    buf_fini(&file);
}

/* Every mistake in one go: fifty of them are fifty lines, each with its own number. */
static void test_fifty_mistakes(void)
{
    struct buf text = {0};
    struct buf expected = {0};
    buf_append_text(&text, "broker: {\n");
    for (int i = 0; i < 25; i++) {
        buf_printf(&text, "zzzzzz%d = %d;\n", i, i);
        buf_printf(&expected, "t.cfg:%d: broker.zzzzzz%d: unknown setting\n", i + 2, i);
    }
    buf_append_text(&text, "};\nrules = (");
    for (int i = 0; i < 25; i++) {
        buf_printf(&text,
                   "%s\n{ name = \"r%d\"; topic = \"x\"; table = \"t\"; columns = { x = %d; }; }",
                   i == 0 ? "" : ",", i, i);
        buf_printf(
            &expected,
            "t.cfg:%d: columns.x: an expression in quotes, like \"$.temperature\", is wanted, "
            "not the number %d\n",
            i + 29, i);
    }
    buf_append_text(&text, "\n);\n");
    config_free(case_load(buf_string(&text), buf_string(&expected)));
    buf_fini(&text);
    buf_fini(&expected);
}

static void test_missing_file(void)
{
    struct problems problems = {0};
    CHECK(config_load("/nonexistent/mqtt2pg.cfg", &problems) == NULL);
    CHECK_INT_EQ(problems.errors, 1);
    CHECK_TEXT_EQ(problems.list[0].text,
                  "could not open file \"/nonexistent/mqtt2pg.cfg\": No such file or directory "
                  "(mqtt2pg init writes one, --config names another)");
    problems_fini(&problems);
    CHECK(config_load("/", &problems) == NULL);
    CHECK_TEXT_EQ(problems.list[0].text, "could not read file \"/\": Is a directory (name the file "
                                         "in it)");
    problems_fini(&problems);
}

/* Bytes that are no text at all. */
static void test_bytes(void)
{
    struct problems problems = {0};
    const char *path = case_write("t.cfg", "");
    FILE *file = fopen(path, "w");
    fwrite("a = 1;\n\0", 1, 8, file);
    fclose(file);
    CHECK(config_load(path, &problems) == NULL);
    CHECK(problems.count == 1 && strstr(problems.list[0].text, "t.cfg:2: a NUL byte") != NULL);
    problems_fini(&problems);
    CHECK(case_load("a = 1;\n# caf\xe9\n",
                    "t.cfg:2: this is not UTF-8: save the file in that encoding\n") == NULL);
    CHECK(case_load("\xff\xfe"
                    "a",
                    "t.cfg:1: this is UTF-16: save the file as UTF-8\n") == NULL);
    CHECK(case_load("\xfe\xff"
                    "a",
                    "t.cfg:1: this is UTF-16: save the file as UTF-8\n") == NULL);
}

static void test_depth(void)
{
    struct buf text = {0};
    buf_append_text(&text, "a = ");
    for (int i = 0; i < 100000; i++) {
        buf_append_byte(&text, '(');
    }
    CHECK(case_load(buf_string(&text), "t.cfg:1: more than 32 groups and lists deep\n") == NULL);
    buf_fini(&text);
}

UNIT_MAIN("config_problems", {"cases", test_cases}, {"fifty_mistakes", test_fifty_mistakes},
          {"missing_file", test_missing_file}, {"bytes", test_bytes}, {"depth", test_depth})
