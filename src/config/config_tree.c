/*
 * libconfig keeps only the line of a setting, and only the value of a number. So each setting gets
 * a pointer (libconfig's hook) to a node with its place and its spelling. config_syntax made the
 * nodes in the order of a depth-first walk through the tree.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_tree.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"

void config_tree_init(struct config_tree *tree, struct arena *names)
{
    config_init(&tree->library);
    /* Off: libconfig would turn 1.5 into 1 without a warning. */
    config_set_auto_convert(&tree->library, CONFIG_FALSE);
    config_source_init(&tree->source, names);
    tree->syntax = (struct config_syntax){0};
}

void config_tree_fini(struct config_tree *tree)
{
    config_destroy(&tree->library);
    config_source_fini(&tree->source);
    config_syntax_fini(&tree->syntax);
}

/* Gives the next node to each setting below `setting`. Returns how many nodes were used. */
static size_t attach_nodes(config_setting_t *setting, struct config_node *nodes, size_t count)
{
    size_t used = 0;
    for (int i = 0; i < config_setting_length(setting); i++) {
        config_setting_t *child = config_setting_get_elem(setting, (unsigned) i);
        assert(used < count);
        config_setting_set_hook(child, &nodes[used++]);
        if (config_setting_is_aggregate(child)) {
            used += attach_nodes(child, nodes + used, count - used);
        }
    }
    return used;
}

/* Makes the tree from the tokens. False: a problem is reported. */
static bool build(struct config_tree *tree, const char *file, struct problems *problems)
{
    struct config_syntax *syntax = &tree->syntax;
    if (!config_syntax_check(syntax, &tree->source, problems)) {
        return false;
    }
    if (config_read_string(&tree->library, buf_string(&syntax->text)) != CONFIG_TRUE) {
        /* Not reached as long as config_syntax is as strict as libconfig. */
        problem_error(problems, (struct place){.file = file}, NULL, "libconfig refuses it: %s",
                      config_error_text(&tree->library));
        return false;
    }
    size_t used = attach_nodes(config_root_setting(&tree->library), syntax->nodes, syntax->count);
    assert(used == syntax->count);
    (void) used;
    return true;
}

bool config_tree_load(struct config_tree *tree, const char *file, struct problems *problems)
{
    return config_source_load(&tree->source, file, problems) && build(tree, file, problems);
}

bool config_tree_parse(struct config_tree *tree, struct slice text, struct problems *problems)
{
    return config_source_parse(&tree->source, text, problems) && build(tree, NULL, problems);
}

/* The node that attach_nodes() gave to the setting. The root has none. */
static const struct config_node *node_of(const config_setting_t *setting)
{
    assert(config_setting_get_hook(setting) != NULL);
    return config_setting_get_hook(setting);
}

struct place config_tree_place(const config_setting_t *setting)
{
    return node_of(setting)->place;
}

struct slice config_tree_spelling(const config_setting_t *setting)
{
    return node_of(setting)->spelling;
}

int64_t config_tree_integer(const config_setting_t *setting)
{
    struct slice spelling = node_of(setting)->spelling;
    struct buf copy = {0};
    buf_append_slice(&copy, spelling);
    bool hex = spelling.length > 1 && (spelling.data[1] == 'x' || spelling.data[1] == 'X');
    /* Base 10, not 0: "010" is ten, as for libconfig. strtoll(3) stops at the suffix "L". */
    int64_t value = strtoll(buf_string(&copy), NULL, hex ? 16 : 10);
    buf_fini(&copy);
    return value;
}

void config_tree_describe(struct buf *out, const config_setting_t *setting, bool secret)
{
    struct slice spelling = node_of(setting)->spelling;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        buf_append_text(out, "a group { … }");
        return;
    case CONFIG_TYPE_LIST:
        buf_append_text(out, "a list ( … )");
        return;
    case CONFIG_TYPE_STRING:
        buf_append_text(out, secret ? "a text" : "the text \"");
        spelling = slice_of(config_setting_get_string(setting));
        break;
    case CONFIG_TYPE_BOOL:
        break;
    default:
        buf_append_text(out, secret ? "a number" : "the number ");
    }
    if (!secret) {
        text_append_printable(out, spelling, 40);
        buf_append_text(out, config_setting_type(setting) == CONFIG_TYPE_STRING ? "\"" : "");
    } else if (config_setting_type(setting) == CONFIG_TYPE_BOOL) {
        buf_append_text(out, "true or false");
    }
}
