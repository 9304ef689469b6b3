/*
 * Checks that need only the settings of one rule. Two later steps find the rest: load/rule compiles
 * topics and expressions, and `check --database` compares the rule with its table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_rule_check.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "config/config_read.h"
#include "config/config_tree.h"
#include "pg/pg_statements.h"

/* One rule that is checked. All borrowed. */
struct check {
    const struct rule_options *rule;
    const config_setting_t *node; /* the rule in the file */
    const char *label;            /* "rule \"telemetry\"", for what is missing in it */
    struct problems *problems;
    const struct config_reader *reader;
};

/* Does the file give this setting of the rule, with a valid value or not? */
static bool is_given(const struct check *check, const char *name)
{
    return config_setting_get_member(check->node, name) != NULL;
}

/* Does the rule have an unknown name that was probably meant to be this setting? Then only the
 * unknown name is reported. */
static bool is_misspelt(const struct check *check, const char *name)
{
    return config_read_misspelt(check->reader, check->node, "rules", name);
}

/* The place of the setting, or of the rule when the setting is not given. */
static struct place place_of(const struct check *check, const char *name)
{
    const config_setting_t *setting = config_setting_get_member(check->node, name);
    return setting == NULL ? check->rule->place : config_tree_place(setting);
}

/* A rule has either `table` or `sql`, and `create` and `add_columns` need a table. */
static void check_target(const struct check *check)
{
    const struct rule_options *rule = check->rule;
    bool table = is_given(check, "table");
    bool sql = is_given(check, "sql");
    struct error error = {0};
    if (table && sql) {
        problem_error(check->problems, place_of(check, "sql"), "sql",
                      "stands beside table: a rule has one of them");
    } else if (!table && !sql && !is_misspelt(check, "table") && !is_misspelt(check, "sql")) {
        problem_error(check->problems, rule->place, check->label,
                      "table is missing: write like table = \"public.telemetry\";");
    }
    if (table && rule->table.text != NULL && rule->table.text[0] == '\0') {
        problem_error(check->problems, rule->table.place, "table", "the name is empty");
    }
    if (sql && rule->sql.text != NULL &&
        pg_check_statements(slice_of(rule->sql.text), &error) != OUTCOME_OK) {
        problem_error(check->problems, rule->sql.place, "sql", "%s", error.text);
    }
    if (rule->create && sql && !table) {
        problem_error(check->problems, place_of(check, "create"), "create",
                      "there is no table to be created: the rule has sql");
    }
    if (rule->add_columns && sql && !table) {
        problem_error(check->problems, place_of(check, "add_columns"), "add_columns",
                      "there is no table to get columns: the rule has sql");
    }
}

/* Is this a rule with `sql` only? Then on_conflict, key and newest are reported: the statement
 * itself says what happens to rows that exist. */
static bool check_sql_alone(const struct check *check)
{
    static const char *const names[] = {"on_conflict", "key", "newest"};
    if (is_given(check, "table") || !is_given(check, "sql")) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_given(check, names[i])) {
            problem_error(check->problems, place_of(check, names[i]), names[i],
                          "has no effect on a rule with sql: write \"on conflict …\" into the sql");
        }
    }
    return true;
}

/* Reports a column that stands in the key twice: PostgreSQL refuses "on conflict (a, a)". */
static void check_key_names(const struct check *check)
{
    const struct rule_options *rule = check->rule;
    for (size_t i = 0; i < rule->key_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(rule->key[i].text, rule->key[k].text) == 0) {
                problem_error(check->problems, rule->key[i].place, "key",
                              "\"%s\" stands in it twice", rule->key[i].text);
                break;
            }
        }
    }
}

/* Checks on_conflict, key and newest, which depend on each other. */
static void check_conflict(const struct check *check)
{
    const struct rule_options *rule = check->rule;
    check_key_names(check);
    if (check_sql_alone(check)) {
        return;
    }
    if (rule->on_conflict == CONFLICT_UPDATE && !is_given(check, "key") &&
        !is_misspelt(check, "key")) {
        problem_error(check->problems, place_of(check, "on_conflict"), "on_conflict",
                      "\"update\" needs key, the columns of a unique index: "
                      "write like key = (\"device\", \"time\");");
    }
    if (rule->on_conflict != CONFLICT_UPDATE && is_given(check, "newest")) {
        problem_error(check->problems, place_of(check, "newest"), "newest",
                      "works only with on_conflict = \"update\"");
    }
    /* A key also becomes the primary key of a table that the bridge creates. */
    if (rule->on_conflict == CONFLICT_ERROR && !rule->create && is_given(check, "key")) {
        problem_error(check->problems, place_of(check, "key"), "key",
                      "works only with on_conflict = \"nothing\" or \"update\", or create = true");
    }
}

/* Does a statement of create_sql stand where it can't be run? */
static void check_create_sql(const struct check *check)
{
    const struct rule_options *rule = check->rule;
    struct error error = {0};
    if (rule->create_sql_count > 0 && !rule->create) {
        problem_error(check->problems, place_of(check, "create_sql"), "create_sql",
                      "is run when the table is created: it needs create = true");
    }
    for (size_t i = 0; i < rule->create_sql_count; i++) {
        const struct option_text *sql = &rule->create_sql[i];
        if (pg_check_statements(slice_of(sql->text), &error) != OUTCOME_OK) {
            problem_error(check->problems, sql->place, "create_sql", "%s", error.text);
        } else if (strstr(sql->text, "{table}") == NULL) {
            problem_warning(check->problems, sql->place, "create_sql",
                            "has no {table}, the name of the table that is created");
        }
    }
}

/* A unique index of a partitioned table has the column of its partitions (PostgreSQL's
 * documentation, "Table Partitioning", limitations). */
static void check_partition_key(const struct check *check)
{
    const struct rule_options *rule = check->rule;
    const char *by = rule->partition.by.text;
    bool found = rule->key_count == 0 || by == NULL;
    for (size_t i = 0; i < rule->key_count; i++) {
        found = found || strcmp(rule->key[i].text, by) == 0;
    }
    if (!found) {
        problem_error(check->problems, rule->key[0].place, "key",
                      "lacks \"%s\", by which the table is partitioned: a unique index of "
                      "partitions has that column",
                      by);
    }
}

/* Checks the group `partition`. PostgreSQL's documentation advises against more than some thousand
 * partitions. */
static void check_partition(const struct check *check)
{
    enum { PARTITIONS_MAX = 10000 };
    const struct partition_options *partition = &check->rule->partition;
    if (!partition->wanted) {
        return;
    }
    if (is_given(check, "sql") && !is_given(check, "table")) {
        problem_error(check->problems, partition->place, "partition",
                      "there is no table to be partitioned: the rule has sql");
    }
    if (partition->timescale && !check->rule->create) {
        problem_error(check->problems, partition->place, "partition.timescale",
                      "makes a hypertable when the table is created: it needs create = true");
    }
    if (!partition->timescale && partition->every_ms > 0 &&
        partition->keep_ms / partition->every_ms > PARTITIONS_MAX) {
        problem_error(check->problems, partition->place, "partition",
                      "keep has %" PRId64 " times the span of every, and PostgreSQL is slow with "
                      "more than some thousand partitions: make every longer",
                      partition->keep_ms / partition->every_ms);
    }
    if (partition->keep_ms > 0 && partition->keep_ms < partition->every_ms) {
        problem_error(check->problems, partition->place, "partition",
                      "keep is shorter than every, the span of one partition: is its unit right?");
    }
    check_partition_key(check);
}

/* The name of a NOTIFY channel. PostgreSQL refuses an empty or longer one at each transaction, so
 * that no batch would ever be stored. */
static void check_notify(const struct check *check)
{
    enum { CHANNEL_BYTES_MAX = 63 };
    const struct option_text *notify = &check->rule->notify;
    size_t length = notify->text == NULL ? 0 : strlen(notify->text);
    if (notify->text != NULL && (length == 0 || length > CHANNEL_BYTES_MAX)) {
        problem_error(check->problems, notify->place, "notify",
                      "the name of a channel has 1 to %d bytes", CHANNEL_BYTES_MAX);
    }
}

/* A computed column must not be in `columns` too, and its expression must not be empty. */
static void check_compute(const struct check *check)
{
    const struct rule_options *rule = check->rule;
    if (rule->compute_count > 0 && is_given(check, "sql")) {
        problem_error(check->problems, place_of(check, "compute"), "compute",
                      "has no effect on a rule with sql: compute in the sql");
    }
    for (size_t i = 0; i < rule->compute_count; i++) {
        if (strspn(rule->compute[i].expression, " \t\r\n") == strlen(rule->compute[i].expression)) {
            problem_error(check->problems, rule->compute[i].place, "compute",
                          "the expression of \"%s\" is empty", rule->compute[i].name);
        }
        for (size_t k = 0; k < rule->column_count; k++) {
            if (strcmp(rule->compute[i].name, rule->columns[k].name) == 0) {
                problem_error(check->problems, rule->compute[i].place, "compute",
                              "\"%s\" stands in columns, too", rule->compute[i].name);
            }
        }
    }
}

/* Checks the group of a shared subscription. MQTT 5.0, section 4.8.2, forbids "/", "+" and "#" in
 * its name. */
static void check_share(const struct check *check)
{
    if (check->rule->share != NULL && strpbrk(check->rule->share, "+#/") != NULL) {
        problem_error(check->problems, place_of(check, "share"), "share",
                      "the name of a group has no \"+\", \"#\" or \"/\"");
    }
    /* Formats whose decoder remembers earlier messages. Sparkplug B is the only one so far. */
    bool learns =
        check->rule->format.text != NULL && strcmp(check->rule->format.text, "sparkplug_b") == 0;
    if (learns && check->rule->share != NULL && check->rule->share[0] != '\0') {
        problem_error(check->problems, place_of(check, "share"), "share",
                      "does not go with format \"sparkplug_b\": BIRTH and DATA would reach "
                      "different bridges");
    }
}

/* Warns of the settings of a format that the rule does not have: the format was forgotten, or the
 * settings are left over. */
static void check_format(const struct check *check)
{
    static const struct {
        const char *group;
        const char *format;
    } groups[] = {
        {"csv", "csv"},           {"influx", "influx"},         {"lenient", "json"},
        {"protobuf", "protobuf"}, {"sparkplug", "sparkplug_b"},
    };
    const char *format = check->rule->format.text == NULL ? "json" : check->rule->format.text;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (is_given(check, groups[i].group) && strcmp(format, groups[i].format) != 0) {
            problem_warning(check->problems, place_of(check, groups[i].group), groups[i].group,
                            "has no effect with format = \"%s\": it is for format = \"%s\"", format,
                            groups[i].format);
        }
    }
    if (is_given(check, "max_decoded") && check->rule->decoding.compression == COMPRESSION_NONE) {
        problem_warning(check->problems, place_of(check, "max_decoded"), "max_decoded",
                        "has no effect without compression");
    }
}

void config_rule_check(const struct config_reader *reader, const struct rule_options *rule,
                       const config_setting_t *node, const char *label)
{
    assert(rule->place.file == NULL || rule->place.line > 0);
    assert(rule->column_count == 0 || rule->columns != NULL);
    assert(rule->topic_count == 0 || rule->topics != NULL);
    struct check check = {rule, node, label, reader->problems, reader};
    check_target(&check);
    check_conflict(&check);
    check_share(&check);
    check_notify(&check);
    check_compute(&check);
    check_create_sql(&check);
    check_partition(&check);
    check_format(&check);
}
