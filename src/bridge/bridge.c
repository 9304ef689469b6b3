/* SPDX-License-Identifier: MIT */
#include "bridge/bridge.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ack/outbox.h"
#include "admin/http_server.h"
#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/memory_limits.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "base/thread.h"
#include "bridge/actions.h"
#include "bridge/generation.h"
#include "bridge/machine.h"
#include "bridge/plan_keeper.h"
#include "bridge/service_manager.h"
#include "journal/journal.h"
#include "load/loader.h"
#include "mqtt/paho_link.h"
#include "mqtt/receiver.h"

#define TICK_MS 250
#define STARTING_TICK_MS 20    /* until the receiver may start */
#define IDENTITY_WAIT_MS 30000 /* for a database that neither answers nor refuses */
#define GRACE_MS 2000          /* after the setting shutdown, for steps without a deadline */
#define EXIT_CONFIGURATION 3
#define EXIT_CANNOT_START 4

struct bridge {
    const char *config_file;
    struct generation *first; /* the stages borrow broker, database and journal options from it */
    pthread_mutex_t mutex;    /* the status page's thread reads `generation` */
    struct generation *generation; /* in use */
    const char *news;           /* a literal, logged when the loader has taken over `generation` */
    struct generation *retired; /* until the loader has let go of it */
    struct journal *journal;
    char *outbox_directory;
    struct outbox *outbox;
    struct loader *loader;
    struct receiver *receiver;
    struct broker_place place; /* of the receiver, for the outbox */
    struct http_server *http;
    struct actions *actions;  /* of the status page; NULL: off */
    atomic_uint rule_changes; /* how often `generation` was replaced */
    int64_t started_ms;       /* monotonic */
    unsigned added;           /* added_columns_changes() of the rules in use */
    bool reload_wanted;       /* SIGHUP came while the last reload was still being taken over */
};

/* Invariants, between two steps of the main thread:
 *
 *   1. There are a generation in use and a first one, which may be the same.
 *   2. At most one generation is retired, and it is not the one in use.
 *   3. The broker is asked only for a plan that is written down, and only for rules that the loader
 *      has taken over.
 */
static void bridge_check(const struct bridge *bridge)
{
    assert(bridge->first != NULL && bridge->generation != NULL);
    assert(bridge->retired == NULL || bridge->retired != bridge->generation);
    assert(bridge->generation->plans == bridge->generation->ruleset->plans);
    assert(bridge->journal != NULL && bridge->outbox != NULL && bridge->loader != NULL);
}

/* Sets the gauges whose values other modules keep: before each HTTP answer and at each tick. */
static void refresh_gauges(void *context)
{
    struct bridge *bridge = context;
    struct journal_info info;
    struct health broker;
    int64_t now = clock_wall_us();

    journal_info(bridge->journal, &info);
    metric_set(METRIC_JOURNAL_MESSAGES, (int64_t) info.waiting);
    metric_set(METRIC_JOURNAL_BYTES, info.bytes);
    metric_set(METRIC_JOURNAL_WAITING_BYTES, info.waiting_bytes);
    metric_set(METRIC_JOURNAL_MAX_BYTES, info.max_bytes);
    metric_set(METRIC_JOURNAL_SET_ASIDE_BYTES, info.set_aside_bytes);
    metric_set(METRIC_JOURNAL_OLDEST_SECONDS,
               info.oldest_us == 0 || now < info.oldest_us ? 0 : (now - info.oldest_us) / 1000000);
    machine_refresh(bridge->first->config->journal.directory);
    health_get(HEALTH_BROKER, &broker);
    metric_set(METRIC_RECEIVING_PAUSED, broker.paused);
    metric_set(METRIC_GAPS_OPEN, (int64_t) health_gaps_open());
    metric_set(METRIC_DEAD_LETTERS_WAITING, health_letters());
    if (bridge->outbox != NULL) {
        metric_set(METRIC_ACKS_WAITING, (int64_t) outbox_waiting(bridge->outbox));
    }
}

static void append_configuration(void *context, struct buf *out)
{
    struct bridge *bridge = context;

    pthread_mutex_lock(&bridge->mutex);
    config_to_json(bridge->generation->config, bridge->first->config, out);
    pthread_mutex_unlock(&bridge->mutex);
}

/* The configuration in use. The caller becomes one of its owners. */
static struct config *share_configuration(void *context)
{
    struct bridge *bridge = context;

    pthread_mutex_lock(&bridge->mutex);
    struct config *config = config_share(bridge->generation->config);
    pthread_mutex_unlock(&bridge->mutex);
    return config;
}

/* Applies the settings that belong to no stage, at the start and at each reload. */
static void configure_process(const struct generation *generation)
{
    log_configure(&generation->config->log);
    health_show_payloads(generation->config->http.show_payloads);
    generation_describe(generation);
}

/* Reads the configuration. Mistakes go to stderr, because they leave open how to log. */
static bool load_first(struct bridge *bridge)
{
    struct problems problems = {0};

    bridge->first = generation_load(bridge->config_file, NULL, &problems);
    bridge->generation = bridge->first;
    if (bridge->first == NULL) {
        problems_print(&problems, stderr);
    } else {
        configure_process(bridge->first);
        problems_log(&problems);
    }
    problems_fini(&problems);
    return bridge->first != NULL;
}

/* Opens the outbox also when no rule has acknowledgments now: an earlier configuration may have
 * left some in its files. */
static enum outcome open_outbox(struct bridge *bridge, struct error *error)
{
    assert(bridge->journal != NULL && bridge->outbox == NULL);
    const struct config *config = bridge->generation->config;
    struct outbox_options options = {.journal = journal_uuid(bridge->journal),
                                     .max_bytes = config->journal.max_bytes / 4,
                                     .broker = &config->broker,
                                     .place = &bridge->place};

    bridge->outbox_directory = memory_printf("%s/outbox", config->journal.directory);
    options.directory = bridge->outbox_directory;
    return outbox_open(&bridge->outbox, &options, error);
}

/* Warns about damaged parts of the journal: a person has to delete them. */
static void tell_set_aside(const struct journal_options *options, struct journal *journal)
{
    struct journal_info info;

    journal_info(journal, &info);
    if (info.set_aside_files > 0) {
        log_warn("damaged parts of the journal are set aside in damaged/: look why, then "
                 "delete them",
                 F_TEXT("journal", options->directory), F_INT("files", info.set_aside_files),
                 F_INT("bytes", info.set_aside_bytes));
    }
}

static enum outcome open_disk(struct bridge *bridge, struct error *error)
{
    const struct config *config = bridge->generation->config;
    struct journal_options journal = config->journal;
    enum outcome outcome = OUTCOME_FATAL;

    journal.keep_messages = receiver_tail(&config->broker);
    if (memory_limits_strict_overcommit()) {
        log_warn("the kernel may refuse memory that is free, which would end this process: set "
                 "vm.overcommit_memory to 0 and limit memory by a cgroup");
    }
    if (memory_limits_check(error)) {
        outcome = journal_open(&bridge->journal, &journal, error);
    }
    if (outcome == OUTCOME_OK) {
        tell_set_aside(&journal, bridge->journal);
        outcome = open_outbox(bridge, error);
    }
    return outcome;
}

static void start_loader(struct bridge *bridge)
{
    assert(bridge->loader == NULL && bridge->receiver == NULL);
    const struct config *config = bridge->generation->config;
    const struct loader_options options = {.database = config->database,
                                           .batch = config->batch,
                                           .journal = bridge->journal,
                                           .outbox = bridge->outbox,
                                           .added = bridge->first->added};

    ruleset_enter(bridge->generation->ruleset);
    plan_keeper_begin(bridge->generation, bridge->journal);
    bridge->loader = loader_start(&options, bridge->generation->ruleset);
}

static enum outcome start_http(struct bridge *bridge, struct error *error)
{
    struct http_sources sources = {
        .refresh = refresh_gauges, .configuration = append_configuration, .context = bridge};
    enum outcome outcome;

    if (bridge->first->config->http.admin) {
        bridge->actions =
            actions_new(&(struct actions_options){.config_file = bridge->config_file,
                                                  .running = bridge->first,
                                                  .journal = bridge->journal,
                                                  .rule_changes = &bridge->rule_changes,
                                                  .in_force = share_configuration,
                                                  .context = bridge});
        sources.actions = actions_handler(bridge->actions);
    }
    outcome = http_server_start(&bridge->http, &bridge->generation->config->http, &sources, error);
    if (outcome == OUTCOME_OK && bridge->http != NULL) {
        log_info("status page", F_TEXT("address", http_server_address(bridge->http)));
        if (!http_server_is_loopback(bridge->http)) {
            log_warn("status page is open to other machines, and asks for no password: let only "
                     "those reach it who may read topics and settings",
                     F_TEXT("address", http_server_address(bridge->http)));
        }
    }
    return outcome;
}

/* Starts the receiver, if it does not run yet, when the loader knows that nobody else stores for
 * this client (or the database has not answered for IDENTITY_WAIT_MS), and has the newest rules. */
static void start_receiver(struct bridge *bridge)
{
    const struct config *config = bridge->first->config;
    enum loader_identity identity = loader_identity(bridge->loader);
    struct subscription_set subscriptions = {0};

    if (bridge->receiver != NULL || bridge->retired != NULL || identity == LOADER_IDENTITY_TAKEN ||
        identity == LOADER_IDENTITY_WAITS ||
        (identity == LOADER_IDENTITY_UNKNOWN &&
         clock_monotonic_ms() < bridge->started_ms + IDENTITY_WAIT_MS) ||
        !plan_keeper_is_written(bridge->generation, bridge->first)) {
        return;
    }
    assert(bridge->generation->plan_written);
    plans_subscriptions(bridge->generation->plans, &subscriptions);
    bridge->receiver =
        receiver_start(&(struct receiver_options){.broker = &config->broker,
                                                  .subscriptions = &subscriptions,
                                                  .journal = bridge->journal,
                                                  .place = &bridge->place,
                                                  .directory = config->journal.directory});
    subscription_set_fini(&subscriptions);
}

static int bridge_start(struct bridge *bridge)
{
    struct error error;

    if (!load_first(bridge)) {
        return EXIT_CONFIGURATION;
    }
    generation_fit_packets(bridge->generation->config); /* the check has warned */
    if (open_disk(bridge, &error) != OUTCOME_OK) {
        log_error("cannot start", F_TEXT("reason", error.text));
        return EXIT_CANNOT_START;
    }
    health_set(HEALTH_JOURNAL, true, bridge->generation->config->journal.directory);
    health_set(HEALTH_BROKER, false, "connecting");
    paho_init();
    start_loader(bridge);
    if (start_http(bridge, &error) != OUTCOME_OK) {
        log_error("cannot start", F_TEXT("reason", error.text));
        return EXIT_CANNOT_START;
    }
    bridge->started_ms = clock_monotonic_ms();
    service_manager_notify("READY=1");
    log_info("mqtt2pg started", F_TEXT("version", MQTT2PG_VERSION),
             F_TEXT("client_id", bridge->generation->config->broker.client_id),
             F_TEXT("journal", bridge->generation->config->journal.directory),
             F_INT("rules", bridge->generation->ruleset->count));
    return 0;
}

/* Ends a reload when the loader has taken over the new rules. Only then the broker is asked for
 * their messages, because the old rules would not know these. The old generation is freed, unless
 * it is the first one. */
static void finish_reload(struct bridge *bridge)
{
    if (bridge->retired == NULL || loader_ruleset(bridge->loader) != bridge->generation->ruleset ||
        !plan_keeper_is_written(bridge->generation, bridge->first)) {
        return;
    }
    if (bridge->receiver != NULL) {
        struct subscription_set subscriptions = {0};

        assert(bridge->generation->plan_written);
        plans_subscriptions(bridge->generation->plans, &subscriptions);
        receiver_subscribe(bridge->receiver, &subscriptions);
        subscription_set_fini(&subscriptions);
    }
    if (bridge->retired != bridge->first) {
        generation_free(bridge->retired);
    }
    bridge->retired = NULL;
    assert(bridge->news != NULL);
    log_info(bridge->news, F_INT("rules", bridge->generation->ruleset->count));
}

/* Names the settings that change at a restart only. Their old values stay, because the stages
 * borrow the broker's and the database's options from the first generation. */
static void keep_running_parts(struct config *next, const struct config *running)
{
    struct buf names = {0};

    config_restart_needed(running, next, &names);
    if (names.length > 0) {
        log_warn("these settings change at the next restart only",
                 F_TEXT("settings", buf_string(&names)));
    }
    buf_fini(&names);
}

/* Takes the generation. The loader uses its rules from its next batch on; then `news` is logged. */
static void put_in_force(struct bridge *bridge, struct generation *next, const char *news)
{
    assert(bridge->retired == NULL && next != bridge->generation);
    ruleset_enter(next->ruleset);
    plan_keeper_continue(next, bridge->generation, bridge->first, bridge->journal);
    pthread_mutex_lock(&bridge->mutex);
    bridge->retired = bridge->generation;
    bridge->generation = next;
    pthread_mutex_unlock(&bridge->mutex);
    atomic_fetch_add(&bridge->rule_changes, 1);
    bridge->news = news;
    loader_set_rules(bridge->loader, next->ruleset, &next->config->batch);
}

static void reload(struct bridge *bridge)
{
    struct problems problems = {0};
    struct generation *next = generation_load(bridge->config_file, bridge->first, &problems);

    bridge->reload_wanted = false;
    log_reopen();
    log_forget_repeats();
    service_manager_notify("RELOADING=1");
    if (next == NULL) {
        problems_log(&problems);
        log_error("reload refused: the old configuration goes on",
                  F_INT("mistakes", problems.errors));
    } else {
        configure_process(next);
        problems_log(&problems); /* warnings */
        added_columns_forgive(bridge->first->added);
        generation_fit_packets(next->config);
        keep_running_parts(next->config, bridge->first->config);
        put_in_force(bridge, next, "configuration reloaded");
    }
    problems_fini(&problems);
    service_manager_notify("READY=1");
}

/* Compiles the rules again, with the columns that the loader has added to their tables. */
static void extend_rules(struct bridge *bridge)
{
    struct problems problems = {0};
    struct error error;
    struct generation *next =
        generation_again(bridge->generation->config, bridge->first, &problems);

    bridge->added = added_columns_changes(bridge->first->added);
    if (added_columns_save(bridge->first->added, bridge->first->config->journal.directory,
                           &error) != OUTCOME_OK) {
        log_error("the columns that were added can't be written down: the next process will not "
                  "fill them",
                  F_TEXT("reason", error.text));
    }
    if (next == NULL) {
        problems_log(&problems);
    } else {
        put_in_force(bridge, next,
                     "rules follow the columns that were added to their tables, or dropped");
    }
    problems_fini(&problems);
}

static void wait_for_the_end(struct bridge *bridge)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    const struct timespec soon = {.tv_nsec = STARTING_TICK_MS * 1000000L};
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    while (!stop_requested()) {
        bridge_check(bridge);
        int signal = sigtimedwait(&signals, NULL, bridge->receiver == NULL ? &soon : &tick);

        refresh_gauges(bridge);
        start_receiver(bridge);
        finish_reload(bridge);
        http_server_tick(bridge->http);
        service_manager_notify("WATCHDOG=1");
        bridge->reload_wanted |= signal == SIGHUP;
        if (signal == SIGTERM || signal == SIGINT) {
            stop_request(0);
        } else if (bridge->reload_wanted && bridge->retired == NULL) {
            reload(bridge);
        } else if (bridge->retired == NULL &&
                   added_columns_changes(bridge->first->added) != bridge->added) {
            extend_rules(bridge);
        }
    }
}

static int64_t left_of(int64_t until_ms)
{
    int64_t left = until_ms - clock_monotonic_ms();

    return left > 0 ? left : 0;
}

/* Ends the process when stopping takes too long: a thread that waits for the resolver can't be
 * ended. The messages that were received are in the journal. */
static void *leave_at(void *until_ms)
{
    const int64_t *end_ms = until_ms;
    const struct timespec step = {.tv_nsec = TICK_MS * 1000000L};

    while (left_of(*end_ms) > 0) {
        nanosleep(&step, NULL);
    }
    log_warn("stopping takes too long: leaving without the rest; received messages are in the "
             "journal");
    _exit(stop_exit_code());
}

static void bridge_stop(struct bridge *bridge)
{
    static int64_t leave_ms; /* outlives this call */
    int64_t shutdown_ms = bridge->generation == NULL ? 0 : bridge->generation->config->shutdown_ms;
    int64_t until = clock_monotonic_ms() + shutdown_ms;
    bool complete;

    leave_ms = until + GRACE_MS;
    pthread_detach(thread_spawn("leave", leave_at, &leave_ms));
    service_manager_notify("STOPPING=1");
    if (bridge->loader != NULL) {
        log_info("stopping", F_INT("within_ms", shutdown_ms));
    }
    /* Each stage gets a part of the time that is left, so that later stages have some, too. */
    receiver_stop(bridge->receiver, left_of(until) / 4);
    complete = loader_stop(bridge->loader, left_of(until) * 3 / 4);
    http_server_stop(bridge->http); /* before the parts that its pages read */
    actions_free(bridge->actions);
    outbox_close(bridge->outbox, left_of(until));
    if (bridge->journal != NULL && bridge->loader != NULL) {
        log_info("stopped",
                 F_TEXT("journal", complete ? "stored to its end" : "has messages that wait"));
    }
    journal_close(bridge->journal);
    if (bridge->retired != bridge->first) {
        generation_free(bridge->retired);
    }
    if (bridge->generation != bridge->first) {
        generation_free(bridge->generation);
    }
    generation_free(bridge->first);
    free(bridge->outbox_directory);
}

int bridge_run(const char *config_file)
{
    struct bridge bridge = {.config_file = config_file, .mutex = PTHREAD_MUTEX_INITIALIZER};
    int exit_code;

    thread_block_signals();
    machine_forbid_core_dumps();
    exit_code = bridge_start(&bridge);
    if (exit_code == 0) {
        wait_for_the_end(&bridge);
    } else {
        stop_request(exit_code);
    }
    bridge_stop(&bridge);
    return exit_code != 0 ? exit_code : stop_exit_code();
}
