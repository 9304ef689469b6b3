/*
 * A group is read in two passes: first what the file gives, name by name, then the settings of the
 * table that the file does not give, which get their defaults. So an unknown name is found by the
 * first pass and a missing setting by the second one.
 *
 *   rules: ( { name = "a"; tpoic = "b"; } )
 *                          └ first pass: unknown setting (did you mean topic?)
 *                            second pass: topic is missing, which is not told a second time
 *
 * Rules are not read here: config_rules.c calls config_read_group() for each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_read.h"

#include <assert.h>

#include "base/text.h"
#include "config/config_expand.h"
#include "config/config_secret.h"
#include "config/config_text.h"
#include "config/config_value.h"

/* The path of a setting in a group: "broker" and "url" → "broker.url", "" and "shutdown" →
 * "shutdown". */
static const char *join(struct arena *arena, const char *group, const char *name)
{
    return arena_printf(arena, "%s%s%s", group, group[0] == '\0' ? "" : ".", name).data;
}

/* The path as messages show it: without "rules.", because the line says which rule is meant. */
static const char *shown_path(const char *path)
{
    return strncmp(path, "rules.", 6) == 0 ? path + 6 : path;
}

/* The secret whose twin NAME_file this path is, or NULL. */
static const struct setting *find_secret(struct arena *arena, const char *path)
{
    size_t length = strlen(path);
    const char *suffix = "_file";
    if (length <= strlen(suffix) || strcmp(path + length - strlen(suffix), suffix) != 0) {
        return NULL;
    }
    struct slice name = slice_make(path, length - strlen(suffix));
    const struct setting *setting = setting_find(arena_copy(arena, name).data);
    return setting != NULL && setting_has_file(setting) ? setting : NULL;
}

/* The setting of this group whose name is most like the unknown name; NULL when none is. The names
 * NAME_file for secrets are candidates too. */
static const char *suggest(struct arena *arena, const char *group, const char *name)
{
    const char **names = arena_alloc(arena, 2 * setting_count * sizeof(names[0]));
    size_t count = 0;
    for (size_t i = 0; i < setting_count; i++) {
        if (setting_is_in(&settings[i], group)) {
            const char *last = setting_name(&settings[i]);
            names[count++] = last;
            if (setting_has_file(&settings[i])) {
                names[count++] = arena_printf(arena, "%s_file", last).data;
            }
        }
    }
    assert(count <= 2 * setting_count);
    return text_suggest(slice_of(name), names, count, sizeof(names[0]));
}

/* Another group that has a setting of this name, or NULL: "keepalive" belongs into "broker". */
static const char *other_group(struct arena *arena, const char *name)
{
    for (size_t i = 0; i < setting_count; i++) {
        const char *last = setting_name(&settings[i]);
        if (last != settings[i].path && strcmp(last, name) == 0) {
            size_t length = (size_t) (last - settings[i].path) - 1;
            return arena_copy(arena, slice_make(settings[i].path, length)).data;
        }
    }
    return NULL;
}

/* Names that other programs have for a setting, and what to write instead. */
static const struct {
    const char *group;  /* the beginning of the path */
    const char *names;  /* each between spaces */
    const char *remedy; /* what follows "unknown setting: " */
} foreign_settings[] = {
    {"", " mqtt mosquitto emqx ", "write broker: { url = \"mqtt://HOST:PORT\"; };"},
    {"", " postgres postgresql pg pgsql db ",
     "write database: { conninfo = \"host=HOST dbname=DATABASE user=ROLE\"; };"},
    {"", " logging log_level loglevel ", "write log: { level = \"info\"; };"},
    {"", " metrics prometheus web status ", "write http: { listen = \"127.0.0.1:9464\"; };"},
    {"", " keep keep_for retention ",
     "write partition: { by = \"time\"; keep = \"90d\"; } in a rule, where by is the column with "
     "the time"},
    {"database.",
     " host port user username password dbname name database sslmode url uri dsn connection "
     "connection_string ",
     "write conninfo = \"host=HOST dbname=DATABASE user=ROLE\", and password_file for the "
     "password"},
    {"broker.", " host hostname port address server ", "write url = \"mqtt://HOST:PORT\""},
    {"broker.", " user login ", "write username"},
    {"broker.", " pass passwd pw ", "write password, or password_file"},
    {"broker.", " ssl ca ca_file cert cafile ",
     "write url = \"mqtts://HOST:PORT\", and tls: { ca_file = \"FILE\"; } for a CA of your "
     "own"},
    {"broker.", " topic topics subscribe subscriptions ",
     "each rule has its topic: rules = ( { topic = \"devices/#\"; … } );"},
    {"broker.", " clean_session clean_start ",
     "the broker always keeps the session, and session_expiry says for how long"},
    {"broker.", " version mqtt_version ", "write protocol = \"5\" or \"3.1.1\""},
    {"journal.", " path dir folder ", "write directory"},
    {"journal.", " size limit ", "write max_size"},
    {"batch.", " size rows count ", "write max_rows"},
    {"batch.", " delay timeout interval ", "write max_delay"},
    {"log.", " file path output ",
     "the log goes to standard error, where systemd or a redirection takes it"},
    {"rules.", " keep keep_for retention ",
     "write partition: { by = \"time\"; keep = \"90d\"; }, where by is the column with the "
     "time"},
    {"rules.", " condition filter if when ", "write where"},
    {"rules.", " fields mapping values ", "write columns"},
    {"rules.", " schema ", "write table = \"SCHEMA.TABLE\""},
    {"rules.", " upsert primary_key unique ",
     "write on_conflict = \"update\", and key = (\"device\", \"time\")"},
    {"rules.", " type encoding codec ", "write format"},
    {"rules.partition.", " column key field on ", "write by"},
    {"rules.partition.", " retention drop_after keep_for max_age ", "write keep"},
    {"rules.partition.", " interval span size chunk range ", "write every"},
    {"http.", " port host bind address ", "write listen = \"127.0.0.1:9464\""},
};

/* What to write instead of a name that other programs use for this, such as "host" or "user". NULL:
 * the name is not one of these. */
static const char *foreign_setting(const char *path)
{
    for (size_t i = 0; i < sizeof(foreign_settings) / sizeof(foreign_settings[0]); i++) {
        size_t length = strlen(foreign_settings[i].group);
        char word[40];
        if (strncmp(path, foreign_settings[i].group, length) != 0) {
            continue;
        }
        snprintf(word, sizeof(word), " %s ", path + length);
        if (strstr(foreign_settings[i].names, word) != NULL) {
            return foreign_settings[i].remedy;
        }
    }
    return NULL;
}

/* Reports a name that is no setting of this group, with the best hint: what to write instead, which
 * setting it is like, or to which group it belongs. */
static void report_unknown(struct config_reader *reader, const struct config_group *group,
                           const config_setting_t *child)
{
    assert(config_setting_name(child) != NULL);
    const char *name = config_setting_name(child);
    const char *whole = join(reader->arena, group->path, name);
    const char *path = shown_path(whole);
    const char *meant = suggest(reader->arena, group->path, name);
    const char *elsewhere = meant == NULL ? other_group(reader->arena, name) : NULL;
    struct place place = config_tree_place(child);
    const char *foreign = foreign_setting(whole);
    if (foreign != NULL) {
        problem_error(reader->problems, place, path, "unknown setting: %s", foreign);
    } else if (meant != NULL) {
        problem_error(reader->problems, place, path, "unknown setting (did you mean %s?)", meant);
    } else if (group->path[0] != '\0' && setting_find(name) != NULL) {
        problem_error(reader->problems, place, path,
                      "unknown setting here: it stands outside of other groups");
    } else if (elsewhere != NULL) {
        problem_error(reader->problems, place, path, "unknown setting here: it belongs into %s",
                      strcmp(elsewhere, "rules") == 0 ? "a rule" : shown_path(elsewhere));
    } else {
        problem_error(reader->problems, place, path, "unknown setting");
    }
}

/* Appends an example on one line: comments are left out, newlines and runs of spaces become one
 * space. */
static void append_one_line(struct buf *out, const char *example)
{
    for (; *example != '\0'; example++) {
        bool gap = *example == ' ' || *example == '\n' || *example == '#';
        if (*example == '#') {
            example += strcspn(example, "\n");
        }
        if (!gap) {
            buf_append_byte(out, (uint8_t) *example);
        } else if (out->length > 0 && out->data[out->length - 1] != ' ') {
            buf_append_byte(out, ' ');
        }
        if (*example == '\0') {
            return;
        }
    }
}

bool config_read_misspelt(const struct config_reader *reader, const config_setting_t *node,
                          const char *group, const char *name)
{
    int count = node == NULL ? 0 : config_setting_length(node);
    for (int i = 0; i < count; i++) {
        const char *child = config_setting_name(config_setting_get_elem(node, (unsigned) i));
        const char *path = join(reader->arena, group, child);
        if (setting_find(path) == NULL && find_secret(reader->arena, path) == NULL) {
            const char *meant = suggest(reader->arena, group, child);
            if (meant != NULL && strcmp(meant, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Reports a required setting that is not given, with an example to copy. Nothing is reported when
 * an unknown name of the group was probably meant to be this setting. */
static void report_missing(struct config_reader *reader, const struct config_group *group,
                           const struct setting *setting)
{
    assert(setting->example != NULL);
    struct buf example = {0};
    if (config_read_misspelt(reader, group->node, group->path, setting_name(setting))) {
        return; /* the unknown name is reported, and it is the same mistake */
    }
    append_one_line(&example, setting->example);
    problem_error(reader->problems, group->place, group->what, "%s is missing: write like %s = %s;",
                  setting_name(setting), setting_name(setting), buf_string(&example));
    buf_fini(&example);
}

/* The setting's default value in the tree of defaults (config.c: load_defaults()). */
static const config_setting_t *default_of(const struct config_reader *reader,
                                          const struct setting *setting)
{
    assert(setting >= settings && setting < settings + setting_count);
    char name[24];
    snprintf(name, sizeof(name), "d%zu", (size_t) (setting - settings));
    return config_lookup(&reader->defaults->library, name);
}

/* Gives a setting its default. A setting without a default leaves the zero in the struct. */
static void read_default(struct config_reader *reader, const struct config_group *group,
                         const struct setting *setting)
{
    if (setting->default_value == NULL) {
        return;
    }
    if (setting_is_required(setting)) {
        report_missing(reader, group, setting);
        return;
    }
    struct config_given given = {
        .setting = setting,
        .value = default_of(reader, setting),
        .place = group->place,
        .what = shown_path(setting->path),
    };
    config_value_read(reader, &given, group->base);
}

/* Reads a group within a group. `child` is NULL when the file does not have it: then its settings
 * get their defaults. */
static void read_subgroup(struct config_reader *reader, const struct config_group *group,
                          const struct setting *setting, const config_setting_t *child)
{
    assert(setting->type == SETTING_GROUP);
    struct config_group inner = {
        .path = setting->path,
        .node = child,
        .place = child == NULL ? group->place : config_tree_place(child),
        .what = shown_path(setting->path),
        .base = group->base,
    };
    /* What is no group has no members: they get their defaults, so that nothing else is blamed. */
    if (child != NULL && config_setting_type(child) != CONFIG_TYPE_GROUP) {
        struct config_given given = {setting, child, inner.place, inner.what};
        config_text_wrong_type(reader, &given);
        if (setting->default_value == NULL) {
            return; /* a group that is there only when it is given */
        }
        inner.node = NULL;
    }
    config_read_group(reader, &inner);
}

/* Does the file give this setting a value? Not when it is missing, or a text that is empty after
 * variables are replaced: with "${PASSWORD:-}" one configuration works with and without a
 * password. */
static bool says_something(const config_setting_t *setting)
{
    struct buf text = {0};
    struct error error;
    if (setting == NULL || config_setting_type(setting) != CONFIG_TYPE_STRING) {
        return setting != NULL;
    }
    bool expanded = config_expand(&text, slice_of(config_setting_get_string(setting)), &error);
    bool empty = expanded && text.length == 0;
    buf_fini(&text);
    return !empty;
}

/* Reads NAME_file: the file that it names holds the secret NAME. Both together are a mistake. */
static void read_secret_file(struct config_reader *reader, const struct config_group *group,
                             const struct setting *secret, const config_setting_t *child)
{
    assert(setting_has_file(secret));
    static const struct setting file_setting = {.path = "", .type = SETTING_TEXT};
    struct config_given given = {
        .setting = &file_setting,
        .value = child,
        .place = config_tree_place(child),
        .what = arena_printf(reader->arena, "%s_file", secret->path).data,
    };
    const config_setting_t *plain = config_setting_get_member(group->node, setting_name(secret));
    if (says_something(plain) && says_something(child)) {
        problem_error(reader->problems, given.place, given.what,
                      "stands beside %s: give one of them", setting_name(secret));
        return;
    }
    config_secret_read(reader, &given, secret, group->base);
}

/* Is the value given by the twin NAME_file, so that the default must not be used? */
static bool stands_in_file(struct config_reader *reader, const struct config_group *group,
                           const struct setting *setting)
{
    const char *twin = arena_printf(reader->arena, "%s_file", setting_name(setting)).data;
    const config_setting_t *file =
        group->node == NULL ? NULL : config_setting_get_member(group->node, twin);
    return setting_has_file(setting) && file != NULL && says_something(file);
}

/* Reads one setting or group that the file gives. Rules are left to config_rules.c. */
static void read_child(struct config_reader *reader, const struct config_group *group,
                       const config_setting_t *child)
{
    const char *path = join(reader->arena, group->path, config_setting_name(child));
    const struct setting *setting = setting_find(path);
    const struct setting *secret = setting == NULL ? find_secret(reader->arena, path) : NULL;
    if (secret != NULL) {
        read_secret_file(reader, group, secret, child);
    } else if (setting == NULL) {
        report_unknown(reader, group, child);
    } else if (strcmp(path, "rules") == 0 ||
               (!says_something(child) && stands_in_file(reader, group, setting))) {
        return;
    } else if (setting->type == SETTING_GROUP) {
        read_subgroup(reader, group, setting, child);
    } else {
        struct config_given given = {setting, child, config_tree_place(child), shown_path(path)};
        config_value_read(reader, &given, group->base);
        if (setting->secret) {
            config_secret_warn(reader->problems, child, given.what);
        }
    }
}

void config_read_group(struct config_reader *reader, const struct config_group *group)
{
    int count = group->node == NULL ? 0 : config_setting_length(group->node);
    for (int i = 0; i < count; i++) {
        read_child(reader, group, config_setting_get_elem(group->node, (unsigned) i));
    }
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        bool given = group->node != NULL &&
                     config_setting_get_member(group->node, setting_name(setting)) != NULL;
        if (!setting_is_in(setting, group->path) || given || strcmp(setting->path, "rules") == 0) {
            continue;
        }
        if (setting->type != SETTING_GROUP && !stands_in_file(reader, group, setting)) {
            read_default(reader, group, setting);
        } else if (setting->type == SETTING_GROUP && setting->default_value != NULL) {
            read_subgroup(reader, group, setting, NULL);
        }
    }
}
