/*
 * Writes the settings of a configuration, without its rules, for another configuration file.
 *
 * `learn` and `init` need it: the file that they write has the broker and database of the one that
 * they read. ${…} is copied and not replaced, so that the new file uses the same environment.
 * Passwords are not copied:
 *
 *   password = "tr0ub4dor";   →   password = "${MQTT2PG_BROKER_PASSWORD:-}";   # …
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "config/config.h"
#include "config/config_expand.h"
#include "config/config_fields.h"
#include "config/config_secret.h"
#include "config/config_source.h"
#include "config/config_tree.h"

/* Spaces for each group around a setting; the longest path of a setting is far shorter. */
enum { INDENT = 2, PATH_BYTES_MAX = 128 };

/* What is carried through the tree: the text to append to, and memory for paths. */
struct writer {
    struct buf *out;
    struct arena *arena;
};

/* Appends a text in quotes, with libconfig's escapes. "${" stays: it is meant to be replaced. */
static void append_quoted(struct buf *out, const char *text)
{
    buf_append_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char) *at;
        if (c < 0x20) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_printf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        }
    }
    buf_append_byte(out, '"');
}

/* The absolute form of a path, which is relative to the folder of its file: the new file may be in
 * another folder. A path that begins with a variable is copied, since its value is not known. */
static const char *absolute(const struct writer *writer, const config_setting_t *value,
                            const char *path)
{
    const char *file = config_tree_place(value).file;
    if (path[0] == '/' || path[0] == '\0' || strncmp(path, "${", 2) == 0) {
        return path;
    }
    char *real = file == NULL ? NULL : realpath(file, NULL);
    const char *result = config_source_path(writer->arena, real, path);
    free(real);
    return result;
}

/* Does the setting hold a path? `setting` is NULL for a twin such as "broker.password_file", which
 * has no row in the table and always holds one. */
static bool is_path(const struct setting *setting)
{
    return setting == NULL || setting->secret || field_of(setting)->kind == FIELD_PATH;
}

/* Writes a variable in place of a secret, named after the setting: MQTT2PG_BROKER_PASSWORD. */
static void append_secret(const struct writer *writer, const struct setting *setting)
{
    assert(setting->secret);
    char name[PATH_BYTES_MAX];
    size_t i = 0;
    for (; setting->path[i] != '\0' && i + 1 < sizeof(name); i++) {
        name[i] = setting->path[i] == '.' ? '_' : ascii_to_upper(setting->path[i]);
    }
    assert(i < sizeof(name));
    name[i] = '\0';
    buf_printf(writer->out,
               "\"${MQTT2PG_%s:-}\";   # a secret is not copied: set this variable, or "
               "write a %s_file\n",
               name, setting_name(setting));
}

/* Writes a text, ";" and the end of the line. `setting` is NULL for a twin NAME_file. */
static void append_text(const struct writer *writer, const struct setting *setting,
                        const config_setting_t *value)
{
    const char *text = config_setting_get_string(value);
    bool conninfo = setting != NULL && strcmp(setting->path, "database.conninfo") == 0;
    struct buf masked = {0};
    if (setting != NULL && setting->secret && !config_expand_needed(slice_of(text))) {
        append_secret(writer, setting);
    } else if (conninfo && !config_expand_needed(slice_of(text)) &&
               config_secret_mask_conninfo(&masked, text)) {
        append_quoted(writer->out, buf_string(&masked));
        buf_append_text(writer->out, ";   # a secret is not copied: it stands where *** is\n");
    } else {
        bool path = setting == NULL || (!setting->secret && is_path(setting));
        append_quoted(writer->out, path ? absolute(writer, value, text) : text);
        buf_append_text(writer->out, ";\n");
    }
    buf_fini(&masked);
}

/* Writes a list of texts, such as several URLs. */
static void append_list(const struct writer *writer, const config_setting_t *list)
{
    assert(config_setting_is_list(list));
    buf_append_text(writer->out, "(");
    for (int i = 0; i < config_setting_length(list); i++) {
        const char *text = config_setting_get_string_elem(list, i);
        buf_append_text(writer->out, i > 0 ? ", " : "");
        append_quoted(writer->out, text == NULL ? "" : text);
    }
    buf_append_text(writer->out, ");\n");
}

/* Groups and members call each other: a group may hold groups. */
static void append_group(const struct writer *writer, const config_setting_t *group,
                         const char *path, int indent);

/* Writes one setting, or a group with its members, but not the rules. `group` is the path of the
 * group that the member is in. */
static void append_member(const struct writer *writer, const config_setting_t *member,
                          const char *group, int indent)
{
    assert(indent >= 0);
    char path[PATH_BYTES_MAX];
    const char *name = config_setting_name(member);
    snprintf(path, sizeof(path), "%s%s%s", group, group[0] == '\0' ? "" : ".", name);
    if (strcmp(path, "rules") == 0) {
        return;
    }
    buf_printf(writer->out, "%*s%s", indent, "", name);
    if (config_setting_is_group(member)) {
        buf_append_text(writer->out, ":\n");
        append_group(writer, member, path, indent);
        return;
    }
    buf_append_text(writer->out, " = ");
    if (config_setting_is_list(member)) {
        append_list(writer, member);
    } else if (config_setting_type(member) == CONFIG_TYPE_STRING) {
        append_text(writer, setting_find(path), member);
    } else {
        struct slice spelling = config_tree_spelling(member);
        buf_printf(writer->out, "%.*s;\n", SLICE_ARGS(spelling));
    }
}

/* Writes all members of a group in braces. The file itself (path "") has no braces. */
static void append_group(const struct writer *writer, const config_setting_t *group,
                         const char *path, int indent)
{
    bool root = path[0] == '\0';
    if (!root) {
        buf_printf(writer->out, "%*s{\n", indent, "");
    }
    for (int i = 0; i < config_setting_length(group); i++) {
        append_member(writer, config_setting_get_elem(group, (unsigned) i), path,
                      root ? 0 : indent + INDENT);
    }
    if (!root) {
        buf_printf(writer->out, "%*s};\n", indent, "");
    }
}

void config_append_given(const char *file, struct buf *out)
{
    struct config_tree tree;
    struct problems problems = {0};
    struct arena *arena = arena_new(4 << 10);
    const struct writer writer = {out, arena};
    config_tree_init(&tree, arena);
    if (config_tree_load(&tree, file, &problems)) {
        append_group(&writer, config_root_setting(&tree.library), "", 0);
    }
    config_tree_fini(&tree);
    problems_fini(&problems);
    arena_free(arena);
}
