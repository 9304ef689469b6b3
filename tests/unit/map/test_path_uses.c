/* SPDX-License-Identifier: MIT */
#include "map/path_uses.h"

#include "decode/json_scan.h"
#include "map/expression.h"
#include "map/row_source.h"
#include "unit.h"

enum { EXPRESSIONS_MAX = 4 };

static bool note(void *context, const struct untaken_key *key)
{
    struct buf *out = context;

    buf_printf(out, "%s%s%s", out->length > 0 ? " " : "", key->in_row ? "" : "$$.", key->path);
    CHECK(strncmp(key->expression, key->in_row ? "$." : "$$.", key->in_row ? 2 : 3) == 0 ||
          strcmp(key->expression, "$['other one']") == 0);
    return true;
}

static void test_untaken(void)
{
    static const struct {
        const char *rows; /* NULL = none */
        const char *expressions[EXPRESSIONS_MAX];
        const char *payload;
        const char *untaken;
    } cases[] = {
        {NULL, {"$.ts"}, "{\"ts\":1}", ""},
        {NULL, {"$.ts"}, "{\"ts\":1,\"power\":7,\"co2\":8}", "power co2"},
        {NULL, {"$"}, "{\"ts\":1,\"power\":7}", ""},
        {NULL, {"$.a"}, "{\"a\":{\"b\":1},\"b\":2}", "b"},
        {NULL, {"$.a.b"}, "{\"a\":{\"b\":1,\"c\":2}}", "a.c"},
        {NULL, {"$.a.b"}, "{\"a\":5}", ""},
        {NULL, {"$.a[0]"}, "{\"a\":[{\"x\":1}]}", ""},
        {NULL, {"$.x | default $.y", "concat(1)"}, "{\"y\":1,\"z\":2}", "z"},
        {NULL, {"'constant'"}, "{\"y\":1}", "y"},
        {NULL, {"$.a"}, "[{\"b\":1}]", ""},
        {NULL, {"$.a"}, "5", ""},
        {NULL, {"$['odd key']"}, "{\"odd key\":1,\"other one\":2}", "other one"},
        {"$.r[*]",
         {"$.v", "$$.g"},
         "{\"g\":1,\"h\":2,\"r\":[{\"v\":1,\"w\":2},{\"x\":1}]}",
         "$$.h w"},
        {"$.r[*]", {"$.v", "$^.g"}, "{\"g\":1,\"h\":2,\"r\":[{\"v\":1}]}", "$$.h"},
        {"$.r.*", {"$", "@key"}, "{\"g\":1,\"r\":{\"a\":1,\"b\":{\"c\":1}}}", "$$.g"},
        {"$.r.*", {"$.v"}, "{\"r\":{\"a\":{\"v\":1,\"w\":2}}}", "w"},
        {"$[*]", {"$.v"}, "[{\"v\":1,\"w\":2}]", "w"},
        {"$[*].m.*",
         {"$.v", "$^.id"},
         "[{\"id\":1,\"no\":2,\"m\":{\"a\":{\"v\":1,\"w\":2}}}]",
         "$$.no w"},
        {"$.r[*].value", {"$.v"}, "{\"r\":[{\"t\":1,\"value\":{\"v\":1,\"w\":2}}]}", "$$.r.t w"},
        {"$.r[*]", {"$.v"}, "{\"r\":[]}", ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct path_uses uses = {0};
        struct scope scope = {.uses = &uses};
        struct expression *expressions[EXPRESSIONS_MAX] = {NULL};
        struct row_source *rows = NULL;
        struct arena *arena = arena_new(4096);
        struct buf out = {0};
        const struct node *root = NULL;
        struct error error;

        UNIT_CASE("%s", cases[i].payload);
        if (cases[i].rows != NULL) {
            CHECK(row_source_compile(slice_of(cases[i].rows), &rows, &error) == OUTCOME_OK);
            uses.rows = row_source_steps(rows);
            uses.row_levels = (unsigned) row_source_levels(rows);
            scope.row_levels = uses.row_levels;
        }
        for (size_t e = 0; e < EXPRESSIONS_MAX && cases[i].expressions[e] != NULL; e++) {
            (void) !expression_compile(slice_of(cases[i].expressions[e]), &scope, &expressions[e],
                                       &error);
        }
        CHECK(json_scan(slice_of(cases[i].payload), arena, &root, &error) == OUTCOME_OK);
        path_uses_untaken(&uses, root, note, &out);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].untaken);
        buf_fini(&out);
        for (size_t e = 0; e < EXPRESSIONS_MAX; e++) {
            expression_free(expressions[e]);
        }
        path_uses_fini(&uses);
        row_source_free(rows);
        arena_free(arena);
    }
}

static bool end_at_once(void *context, const struct untaken_key *key)
{
    (void) key;
    ++*(int *) context;
    return false;
}

static void test_bounds(void)
{
    struct path_uses uses = {0};
    const struct path_step step = {.kind = PATH_MEMBER, .name = SLICE_LITERAL("x")};
    struct arena *arena = arena_new(4096);
    const struct node *root = NULL;
    struct error error;
    int told = 0;

    CHECK(json_scan(slice_of("{\"a\":1,\"b\":2}"), arena, &root, &error) == OUTCOME_OK);
    path_uses_add(&uses, &(struct path_use){.root = PATH_FROM_LEVEL, .steps = &step});
    path_uses_untaken(&uses, root, end_at_once, &told);
    CHECK_INT_EQ(told, 1);
    for (int i = 0; i < PATH_USES_MAX; i++) {
        path_uses_add(&uses, &(struct path_use){.root = PATH_FROM_LEVEL, .steps = &step});
    }
    path_uses_untaken(&uses, root, end_at_once, &told);
    CHECK_INT_EQ(told, 1);
    path_uses_fini(&uses);
    arena_free(arena);
}

UNIT_MAIN("path_uses", {"untaken", test_untaken}, {"bounds", test_bounds})
