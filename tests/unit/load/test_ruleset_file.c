/* The file "rules": whoever reads it goes on as who wrote it; damage costs what stands behind it.
 *
 * SPDX-License-Identifier: MIT */
#include "load/ruleset_file.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "unit.h"

/* In place of the libraries': what is durable when. */
static int syncs;
static off_t synced_bytes;
static bool sync_fails;

int fdatasync(int fd)
{
    struct stat status;

    fstat(fd, &status);
    synced_bytes = status.st_size;
    syncs++;
    errno = EIO;
    return sync_fails ? -1 : 0;
}

enum { RULES_MAX = 4 };

/* Rules of one configuration: name and topic each. */
struct rules {
    const char *given[RULES_MAX][2];
};

struct made {
    struct rule_options options[RULES_MAX];
    struct ruleset *ruleset;
};

static void make(struct made *made, const struct rules *rules)
{
    struct problems problems = {0};
    size_t count = 0;

    while (count < RULES_MAX && rules->given[count][0] != NULL) {
        made->options[count] = (struct rule_options){.name = rules->given[count][0],
                                                     .topic = {.text = rules->given[count][1]},
                                                     .qos = 1,
                                                     .share = "",
                                                     .format = {.text = "text"},
                                                     .table = {.text = "t"}};
        count++;
    }
    made->ruleset = ruleset_compile(made->options, count, "client", true, &problems);
    if (!CHECK(made->ruleset != NULL)) {
        exit(1);
    }
    problems_fini(&problems);
}

static void describe_step(void *context, uint32_t identifier, const char *filter)
{
    buf_printf(context, " %" PRIu32 " %s", identifier, filter);
}

/* Where one rule comes from: " 7725 devices/#". */
static void describe_rule(struct buf *out, const struct rule *rule)
{
    if (rule->takeover != NULL) {
        takeover_each(rule->takeover, describe_step, out);
    }
}

static int compare_identifiers(const void *left, const void *right)
{
    uint32_t l = *(const uint32_t *) left;
    uint32_t r = *(const uint32_t *) right;

    return l < r ? -1 : l > r;
}

/* That of all rules, a line each, and what was in use, sorted: its order means nothing. */
static void describe(struct buf *out, struct ruleset *ruleset)
{
    if (ruleset->retired_count > 0) {
        qsort(ruleset->retired, ruleset->retired_count, sizeof(ruleset->retired[0]),
              compare_identifiers);
    }
    for (size_t i = 0; i < ruleset->count; i++) {
        buf_printf(out, "%s:", ruleset->rules[i]->name);
        describe_rule(out, ruleset->rules[i]);
        buf_append_text(out, "\n");
    }
    for (size_t i = 0; i < ruleset->retired_count; i++) {
        buf_printf(out, "retired %" PRIu32 "\n", ruleset->retired[i]);
    }
}

static const char *path_of(const char *name)
{
    static char path[300];

    snprintf(path, sizeof(path), "%s/%s", unit_scratch(), name);
    return path;
}

static void write_file(struct slice content)
{
    FILE *file = fopen(path_of("rules"), "w");

    fwrite(content.data, 1, content.length, file);
    fclose(file);
}

static void read_file(struct buf *content)
{
    struct error error;

    CHECK_INT_EQ(file_load(path_of("rules"), 100000, content, &error), OUTCOME_OK);
}

static void save(const struct ruleset *ruleset)
{
    struct error error;

    CHECK_INT_EQ(ruleset_save(ruleset, unit_scratch(), &error), OUTCOME_OK);
}

/* After three configurations, with every kind of line in it. Names and topics hold what the file
 * itself is made of. */
static const struct rules first = {{{"mover", "n/{who}"}, {"wide", "#"}, {"gone", "gone/+"}}};
static const struct rules second = {
    {{"mover", "n/#"}, {"wide", "#"}, {"a b\nc", "x y\n\trule 1 1 z"}}};
static const struct rules third = {{{"mover", "+/{who}"}, {"wide", "#"}, {"a b\nc", "x y\n"}}};

static void save_three(struct made made[3])
{
    make(&made[0], &first);
    make(&made[1], &second);
    make(&made[2], &third);
    ruleset_follow(made[1].ruleset, made[0].ruleset, 0);
    ruleset_follow(made[2].ruleset, made[1].ruleset, 0);
    save(made[2].ruleset);
}

static void free_three(struct made made[3])
{
    for (int i = 0; i < 3; i++) {
        ruleset_free(made[i].ruleset);
    }
}

/* What rules make of the file as it is. */
static void describe_recalled(struct buf *out, const struct rules *rules)
{
    struct made next;

    make(&next, rules);
    ruleset_recall(next.ruleset, unit_scratch());
    describe(out, next.ruleset);
    ruleset_free(next.ruleset);
}

/* Rules that recall the file go on exactly as rules that follow those that were saved. */
static void test_round_trip(void)
{
    static const struct rules cases[] = {
        {{{"mover", "+/{who}"}, {"wide", "#"}, {"a b\nc", "x y\n"}}}, /* the same once more */
        {{{"mover", "n/{who}"}, {"wide", "#"}, {"a b\nc", "x y"}}},   /* to and fro */
        {{{"wide", "wide/#"}}},                                       /* the others are gone */
        {{{"other", "+/{who}"}, {"wide", "n/#"}}},                    /* one has another name */
        {{{"new", "new"}}},
    };
    struct made made[3];

    save_three(made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf recalled = {0};
        struct buf followed = {0};
        struct made next;

        UNIT_CASE("configuration %zu", i);
        make(&next, &cases[i]);
        ruleset_follow(next.ruleset, made[2].ruleset, 0);
        describe(&followed, next.ruleset);
        describe_recalled(&recalled, &cases[i]);
        CHECK_TEXT_EQ(buf_string(&recalled), buf_string(&followed));
        CHECK(strstr(buf_string(&recalled), "retired") != NULL);
        ruleset_free(next.ruleset);
        buf_fini(&recalled);
        buf_fini(&followed);
    }
    free_three(made);
}

/* The lines as the header has them: a file outlives programs. */
static void test_lines(void)
{
    struct buf content = {0};
    struct made made[2];
    char wanted[200];

    make(&made[0], &(struct rules){{{"r", "a/+"}}});
    make(&made[1], &(struct rules){{{"r", "a/#"}}});
    ruleset_follow(made[1].ruleset, made[0].ruleset, 0);
    save(made[1].ruleset);
    read_file(&content);
    snprintf(wanted, sizeof(wanted),
             "mqtt2pg rules 1\nrule %" PRIu32 " 3 a/#\nname 0 1 r\nformer %" PRIu32
             " 3 a/+\nretired %" PRIu32 " 0 \n",
             subscription_identifier("a/#"), subscription_identifier("a/+"),
             subscription_identifier("a/+"));
    CHECK_TEXT_EQ(buf_string(&content), wanted);
    buf_fini(&content);
    ruleset_free(made[0].ruleset);
    ruleset_free(made[1].ruleset);
}

static const struct rules plain = {{{"r", "a/+"}}};

static void test_no_file(void)
{
    struct buf text = {0};

    unlink(path_of("rules"));
    describe_recalled(&text, &plain);
    CHECK_TEXT_EQ(buf_string(&text), "r:\n");
    CHECK(access(path_of("rules"), F_OK) != 0);
    buf_fini(&text);
}

/* What stands before the line that makes no sense is used, the line itself in no part. */
static void test_strange_lines(void)
{
    static const char *const cases[][2] = {
        {"", "r:\n"},
        {"\n", "r:\n"},
        {"something else\n", "r:\n"},
        {"mqtt2pg rules 2\nrule 7 1 z\nname 0 1 r\n", "r:\n"},
        {"mqtt2pg rules 10\nretired 7 0 \n", "r:\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\n", "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\nhello 8 1 x\n", "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\nname 8 1 x\n", "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\nretired 8 1\n", "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\nretired x 0 \n", "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\nretired 8 -1 \n", "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nrule 7 1 z\nname 0 1 r\nretired 8 18446744073709551615 \n",
         "r: 7 z\nretired 7\n"},
        {"mqtt2pg rules 1\nname 0 1 r\nrule 7 1 z\n", "r:\n"},
        {"mqtt2pg rules 1\nformer 7 1 z\nretired 8 0 \n", "r:\n"},
        {"mqtt2pg rules 1\nhello 7 1 z\nretired 8 0 \n", "r:\n"},
        {"mqtt2pg rules 1\nretired 0 0 \nretired 8 0 \nretired 8 0 \n", "r:\nretired 8\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf text = {0};

        UNIT_CASE("%s", cases[i][0]);
        write_file(slice_of(cases[i][0]));
        describe_recalled(&text, &plain);
        CHECK_TEXT_EQ(buf_string(&text), cases[i][1]);
        buf_fini(&text);
    }
}

/* Where the line begins in which this byte stands. */
static size_t line_start(struct slice content, size_t at)
{
    static const char *const kinds[] = {"\nrule ", "\nname ", "\nformer ", "\nretired "};
    size_t start = 0;

    for (size_t i = 1; i <= at; i++) {
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            if (strncmp(content.data + i - 1, kinds[k], strlen(kinds[k])) == 0) {
                start = i;
            }
        }
    }
    return start;
}

/* Cut off anywhere, it says what its whole lines say. */
static void test_cut_at_each_byte(void)
{
    struct buf content = {0};
    struct made made[3];

    save_three(made);
    read_file(&content);
    (void) buf_string(&content);
    for (size_t length = 0; length < content.length; length++) {
        struct slice whole = buf_slice(&content);
        struct buf cut = {0};
        struct buf lines = {0};

        UNIT_CASE("%zu bytes", length);
        write_file(slice_make(whole.data, length));
        describe_recalled(&cut, &third);
        write_file(slice_make(whole.data, line_start(whole, length)));
        describe_recalled(&lines, &third);
        CHECK_TEXT_EQ(buf_string(&cut), buf_string(&lines));
        buf_fini(&cut);
        buf_fini(&lines);
    }
    buf_fini(&content);
    free_three(made);
}

/* Where the rule's lines begin. */
static size_t rule_start(struct buf *content, const struct rule *rule)
{
    char head[40];

    snprintf(head, sizeof(head), "\nrule %" PRIu32 " ", rule->subscription);
    return (size_t) (strstr(buf_string(content), head) + 1 - content->data);
}

/* The rules whose lines stand before this byte are as `sound` has them. */
static void check_rules_before(const struct ruleset *damaged, const struct ruleset *sound,
                               struct buf *content, size_t at)
{
    for (size_t i = 0; i + 1 < sound->count; i++) {
        struct buf is = {0};
        struct buf wanted = {0};

        if (at >= rule_start(content, sound->rules[i + 1])) {
            describe_rule(&is, damaged->rules[i]);
            describe_rule(&wanted, sound->rules[i]);
            CHECK_TEXT_EQ(buf_string(&is), buf_string(&wanted));
        }
        buf_fini(&is);
        buf_fini(&wanted);
    }
}

/* A byte that is another one takes nothing of what stands before its rule. */
static void test_damage_at_each_byte(void)
{
    static const char damage[] = {1, 2, 4, 8, 16, 32, 64, (char) 128};
    struct buf content = {0};
    struct made made[3];

    save_three(made);
    read_file(&content);
    for (size_t i = 0; i < content.length * sizeof(damage); i++) {
        size_t at = i / sizeof(damage);
        struct made next;

        UNIT_CASE("byte %zu, bit %zu", at, i % sizeof(damage));
        content.data[at] ^= damage[i % sizeof(damage)];
        write_file(buf_slice(&content));
        content.data[at] ^= damage[i % sizeof(damage)];
        make(&next, &third);
        ruleset_recall(next.ruleset, unit_scratch());
        check_rules_before(next.ruleset, made[2].ruleset, &content, at);
        CHECK(at >= strlen("mqtt2pg rules 1\n") || next.ruleset->retired_count == 0);
        ruleset_free(next.ruleset);
    }
    buf_fini(&content);
    free_three(made);
}

/* A file that was not written leaves the one before as it is. */
static void check_old_one_stays(const struct ruleset *ruleset, enum outcome wanted)
{
    struct buf before = {0};
    struct buf after = {0};
    struct error error;

    read_file(&before);
    CHECK_INT_EQ(ruleset_save(ruleset, unit_scratch(), &error), wanted);
    CHECK(access(path_of("rules.tmp"), F_OK) != 0);
    read_file(&after);
    CHECK_TEXT_EQ(buf_string(&after), buf_string(&before));
    buf_fini(&before);
    buf_fini(&after);
}

static void test_no_room(void)
{
    struct made made[3];
    struct error error;
    struct rlimit old;

    save_three(made);
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){20, old.rlim_max});
    check_old_one_stays(made[0].ruleset, OUTCOME_RETRY);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_INT_EQ(ruleset_save(made[0].ruleset, path_of("missing"), &error), OUTCOME_RETRY);
    CHECK(strstr(error.text, "could not open directory") != NULL);
    free_three(made);
}

/* All of it is on the disk before it takes the old one's place. */
static void test_synced(void)
{
    struct buf content = {0};
    struct made made[3];

    syncs = 0;
    save_three(made);
    read_file(&content);
    CHECK_INT_EQ(syncs, 1);
    CHECK_INT_EQ(synced_bytes, content.length);
    sync_fails = true;
    check_old_one_stays(made[0].ruleset, OUTCOME_FATAL);
    sync_fails = false;
    buf_fini(&content);
    free_three(made);
}

UNIT_MAIN("load/ruleset_file", {"round trip", test_round_trip}, {"lines", test_lines},
          {"no file", test_no_file}, {"strange lines", test_strange_lines},
          {"cut at each byte", test_cut_at_each_byte},
          {"damage at each byte", test_damage_at_each_byte}, {"no room", test_no_room},
          {"synced", test_synced})
