/* SPDX-License-Identifier: MIT */
#include "load/added_columns.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

static struct option_column written[] = {{.name = "id", .expression = "{id}"}};
static const struct rule_options plug = {.name = "plug",
                                         .table.text = "public.plug",
                                         .add_columns = true,
                                         .columns = written,
                                         .column_count = 1};

static void write_file(const char *directory, const char *text)
{
    char *path = memory_printf("%s/columns", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    CHECK(write(fd, text, strlen(text)) == (ssize_t) strlen(text));
    close(fd);
    free(path);
}

static void test_kept(void)
{
    const char *directory = unit_scratch();
    struct added_columns *added = added_columns_load(directory);
    struct rule_options rules[] = {plug, plug, plug, plug};
    struct rule_options *extended;
    struct error error;

    CHECK(added_columns_add(added, &plug, "odd \"name\"", "$['a\tb'] :: text"));
    CHECK(added_columns_add(added, &plug, "id", "$.id :: text"));
    CHECK(added_columns_add(added, &plug, "id", "$.id :: text"));
    CHECK_INT_EQ(added_columns_changes(added), 2);
    CHECK(added_columns_save(added, directory, &error) == OUTCOME_OK);
    added_columns_free(added);

    added = added_columns_load(directory);
    rules[1].table.text = "other";
    rules[2].add_columns = false;
    rules[3].name = "another";
    extended = added_columns_extend(added, rules, 4);
    CHECK_INT_EQ(extended[0].column_count, 2); /* what a person has written counts more */
    CHECK_TEXT_EQ(extended[0].columns[0].expression, "{id}");
    CHECK_TEXT_EQ(extended[0].columns[1].name, "odd \"name\"");
    CHECK_TEXT_EQ(extended[0].columns[1].expression, "$['a\tb'] :: text");
    for (int i = 1; i < 4; i++) {
        CHECK_INT_EQ(extended[i].column_count, 1);
    }
    CHECK_INT_EQ(plug.column_count, 1);
    added_columns_release(extended, 4);
    added_columns_free(added);
}

/* A person has dropped one: the rule and the file forget it, and it may come again. */
static void test_dropped(void)
{
    struct table_shape *shape = table_shape_new();
    const char *directory = unit_scratch();
    struct added_columns *added;
    struct rule_options *before, *extended, other = plug;
    struct error error;

    write_file(directory, "");
    added = added_columns_load(directory);
    (void) table_shape_add(shape, slice_of("id"));
    (void) table_shape_add(shape, slice_of("kept"));
    CHECK(added_columns_add(added, &plug, "kept", "$.kept :: text"));
    CHECK(added_columns_add(added, &plug, "power", "$.power :: text"));
    before = added_columns_extend(added, &plug, 1);
    other.name = "other";
    CHECK_INT_EQ(added_columns_drop(added, &other, shape), 0);
    CHECK_INT_EQ(added_columns_changes(added), 2);
    CHECK_INT_EQ(added_columns_drop(added, before, shape), 1);
    CHECK_INT_EQ(added_columns_drop(added, before, shape), 0);
    CHECK_INT_EQ(added_columns_changes(added), 3);
    CHECK_TEXT_EQ(before->columns[2].name, "power"); /* rules in use still borrow it */
    added_columns_release(before, 1);
    CHECK(added_columns_save(added, directory, &error) == OUTCOME_OK);
    for (int i = 0; i < 2; i++) { /* now, and in the next process */
        extended = added_columns_extend(added, &plug, 1);
        CHECK_INT_EQ(extended->column_count, 2);
        CHECK_TEXT_EQ(extended->columns[1].name, "kept");
        added_columns_release(extended, 1);
        added_columns_free(added);
        added = added_columns_load(directory);
    }
    CHECK(added_columns_add(added, &plug, "power", "$.power :: text"));
    extended = added_columns_extend(added, &plug, 1);
    CHECK_INT_EQ(extended->column_count, 3);
    added_columns_release(extended, 1);
    added_columns_free(added);
    table_shape_free(shape);
}

static void test_damage(void)
{
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"", 1},
        {"[\"plug\",\"public.plug\",\"a\",\"$.a :: text\"]\n", 2},
        {"[\"plug\",\"public.plug\",\"a\",\"$.a :: text\"]\n[\"plug\",\"pub", 2},
        {"[\"plug\",\"public.plug\",\"a\",5]\n", 1},
        {"[\"plug\",\"public.plug\",\"a\"]\n", 1},
        {"{\"plug\":1}\n", 1},
        {"[\"plug\",\"public.plug\",\"a\\u0000\",\"$.a\"]\n", 1},
    };
    const char *directory = unit_scratch();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct added_columns *added;
        struct rule_options *extended;

        UNIT_CASE("%s", cases[i].text);
        write_file(directory, cases[i].text);
        added = added_columns_load(directory);
        extended = added_columns_extend(added, &plug, 1);
        CHECK_INT_EQ(extended[0].column_count, cases[i].columns);
        added_columns_release(extended, 1);
        added_columns_free(added);
    }
}

static void test_bounds(void)
{
    struct added_columns *added = added_columns_load("/nowhere/at/all");
    char name[20];

    for (int i = 0; i < ADDED_COLUMNS_MAX; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        CHECK(added_columns_have_room(added, &plug) &&
              added_columns_add(added, &plug, name, "$.a"));
    }
    CHECK(!added_columns_have_room(added, &plug) && !added_columns_add(added, &plug, "one", "$.a"));
    CHECK(added_columns_add(added, &plug, "c0", "$.a"));

    CHECK(!added_columns_refused(added, "plug", "$.a"));
    added_columns_refuse(added, "plug", "$.a");
    CHECK(added_columns_refused(added, "plug", "$.a") &&
          !added_columns_refused(added, "plug", "$.b"));
    added_columns_forgive(added);
    CHECK(!added_columns_refused(added, "plug", "$.a"));
    added_columns_free(added);
}

UNIT_MAIN("added_columns", {"kept", test_kept}, {"dropped", test_dropped}, {"damage", test_damage},
          {"bounds", test_bounds})
