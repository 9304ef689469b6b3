/*
 * cli_check: `check` reports every mistake of the configuration as FILE:LINE: message.
 *
 *   (nothing)    reads the file and compiles the rules; connects to nothing
 *   --database   also looks up each rule's table and columns in the catalog; writes nothing there
 *   --broker     also connects under a client id of its own and tries each subscription; the broker
 *                forgets the session when the connection ends
 *
 * The command does not end at the first mistake: it prints all, in the order in which it found
 * them. Warnings are printed and do not change the exit code.
 *
 * Exit codes: 0 no mistake; 1 the database or the broker could not be asked, so the rest is not
 * known; 3 at least one mistake, whatever else happened.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/health.h"
#include "cli/commands.h"
#include "load/rule_check.h"
#include "mqtt/broker_check.h"
#include "pg/pg_clock.h"
#include "route/plan.h"

/* A warning: the clock is no mistake of the configuration. */
static void check_clock(const struct generation *generation, const struct pg_connection *connection,
                        struct problems *problems)
{
    int64_t ahead = pg_clock_worth_telling(0, pg_clock_ahead_seconds(connection));
    struct buf difference = {0};

    if (ahead != 0) {
        health_format_clock(&difference, ahead);
        problem_warning(problems, (struct place){generation->config->file, 0}, NULL,
                        "this machine's clock is %s: @received_at and times without a date are "
                        "wrong; set the clock (timedatectl)",
                        buf_string(&difference));
    }
    buf_fini(&difference);
}

/* Compares every rule with the catalog. Mistakes go to `problems`. CLI_FAILED when the database
 * could not be asked; the rules behind the one that failed are then not compared. */
static int check_database(const struct generation *generation, struct problems *problems)
{
    struct pg_connection *connection = pg_connection_new(&generation->config->database);
    struct pg_failure failure;
    struct error error;
    int exit_code = CLI_DONE;

    if (pg_connect(connection, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", error.text);
        exit_code = CLI_FAILED;
    } else {
        check_clock(generation, connection, problems);
    }
    for (size_t i = 0; exit_code == CLI_DONE && i < generation->ruleset->count; i++) {
        const struct rule *rule = generation->ruleset->rules[i];

        if (rule_check(rule, connection, problems, &failure) == OUTCOME_OK) {
            continue;
        }
        /* The connection works, so the server has refused this rule: a mistake of the rule. */
        if (pg_is_connected(connection)) {
            problem_error(problems, rule->options->place, rule->name, "%s", failure.message);
            continue;
        }
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", failure.message);
        exit_code = CLI_FAILED;
    }
    assert(exit_code == CLI_DONE || exit_code == CLI_FAILED);
    pg_connection_free(connection);
    return exit_code;
}

/* The subscriptions that the service would ask for with these rules. */
static void plan_subscriptions(const struct generation *generation, struct subscription_set *wanted)
{
    const struct plan_moment moment = {.mqtt5 = generation->config->broker.mqtt5,
                                       .now_us = clock_wall_us()};
    struct plans *plans = plans_next(NULL, &generation->ruleset->wanted, &moment);

    plans_subscriptions(plans, wanted);
    plans_free(plans);
}

/* Tries every subscription at the broker, and the status topic. What the broker refuses goes to
 * `problems`, with line 0: filters of several rules may be one subscription, so no single line
 * of the file is to blame. CLI_FAILED when the broker could not be asked. */
static int check_broker(const struct generation *generation, struct problems *problems)
{
    const struct config *config = generation->config;
    const struct place place = {config->file, 0};
    char *client_id = broker_visitor_id(&config->broker, "check");
    struct subscription_set wanted = {0};
    struct broker_report report;
    struct error error = {0};
    int exit_code = CLI_DONE;

    plan_subscriptions(generation, &wanted);
    if (broker_check(&config->broker, client_id, &wanted, &report, &error) == OUTCOME_OK) {
        printf("%s: connected to %s, %zu subscription%s granted, %zu refused\n", report.url,
               broker_kind_name(report.kind), report.granted, report.granted == 1 ? "" : "s",
               report.refused_count);
        printf("%s: it keeps messages for a bridge only within its own limits: %s\n", report.url,
               broker_kind_advice(report.kind));
        assert(report.refused_count == 0 || report.refused != NULL);
        for (size_t i = 0; i < report.refused_count; i++) {
            problem_error(problems, place, report.refused[i].filter,
                          "the broker refuses this subscription: %s", report.refused[i].reason);
        }
        if (report.status_refused != NULL) {
            problem_warning(problems, place, "status_topic",
                            "the broker does not allow its %s; the service goes on without it",
                            report.status_refused);
        }
    } else {
        fprintf(stderr, "mqtt2pg: the broker could not be asked: %s\n", error.text);
        exit_code = CLI_FAILED;
    }
    broker_report_fini(&report);
    subscription_set_fini(&wanted);
    free(client_id);
    return exit_code;
}

/* The last lines when there is no mistake. Memory is an estimate for sizing a machine: a base,
 * and the largest message that the rules may have to hold in memory while it is read. */
static void say_fine(const struct generation *generation, const struct problems *problems,
                     bool database)
{
    const struct config *config = generation->config;
    int64_t bytes = ruleset_memory_bytes(generation->ruleset, config->broker.max_packet_bytes);

    assert(problems->errors == 0);
    printf("%s: some 20 MB of memory, up to %lld MB while a message of broker.max_packet is read\n",
           config->file, (long long) (bytes / (1024 * 1024)));
    printf("%s: %zu rule%s, no mistakes%s", generation->config->file, generation->ruleset->count,
           generation->ruleset->count == 1 ? "" : "s", database ? ", and the tables fit" : "");
    if (problems->count > 0) {
        printf(", %zu warning%s", problems->count, problems->count == 1 ? "" : "s");
    }
    printf("\n");
}

/* Not by way of cli_load(): the mistakes of the file, the database and the broker make one list,
 * and that list is the result, so it goes to standard output. */
int cli_check(const struct cli_call *call)
{
    struct problems problems = {0};
    struct generation *generation;
    bool database = false;
    bool broker = false;
    int exit_code = CLI_DONE;

    for (int i = 0; i < call->count; i++) {
        if (strcmp(call->arguments[i], "--database") == 0) {
            database = true;
        } else if (strcmp(call->arguments[i], "--broker") == 0) {
            broker = true;
        } else {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    generation = generation_load(call->config_file, NULL, &problems);
    if (generation != NULL && database) {
        exit_code = check_database(generation, &problems);
    }
    if (generation != NULL && broker) {
        /* Also after a database that could not be asked: one run tells both. */
        int broker_code = check_broker(generation, &problems);
        exit_code = exit_code == CLI_DONE ? broker_code : exit_code;
    }
    problems_print(&problems, stdout);
    if (problems.errors > 0 || generation == NULL) {
        exit_code = CLI_CONFIGURATION;
    } else if (exit_code == CLI_DONE) {
        say_fine(generation, &problems, database);
    }
    problems_fini(&problems);
    generation_free(generation);
    return exit_code;
}
