/* SPDX-License-Identifier: MIT */
#include "load/statement_blame.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Is the mistake in an expression of the rule: its syntax, a name or a type? The rest of the
 * statement is the service's own, and `check` has compared the table's columns before. */
static bool is_about_expressions(const struct pg_failure *failure)
{
    static const char *const states[] = {
        "42601", "42703", "42803", "42804", "42809", "42846", "42883", "42P01", "42704",
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(failure->sqlstate, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The computed column that the message names, as in: column "v" is of type integer but expression
 * is of type text. When the message names none, the first computed column. */
static const struct option_column *computed_column(const struct rule *rule, const char *message)
{
    const struct rule_options *options = rule->options;
    assert(options->compute_count > 0);
    for (size_t i = 0; i < options->compute_count; i++) {
        char words[128];
        snprintf(words, sizeof(words), "column \"%.63s\" is of type", options->compute[i].name);
        if (strstr(message, words) != NULL) {
            return &options->compute[i];
        }
    }
    return &options->compute[0];
}

void statement_blame(const struct rule *rule, const struct pg_failure *failure,
                     struct problems *problems)
{
    const struct rule_options *options = rule->options;
    if (options->sql.text != NULL) {
        problem_error(problems, options->sql.place, "sql", "%s", failure->message);
    } else if (options->compute_count > 0 && is_about_expressions(failure)) {
        problem_error(problems, computed_column(rule, failure->message)->place, "compute", "%s",
                      failure->message);
    } else {
        problem_error(problems, options->table.place, "table", "%s", failure->message);
    }
}
