/*
 * cli_init: from a broker and a database to a configuration that runs.
 *
 *   ask ─▶ broker answers? ─▶ database answers, and lets us? ─▶ listen ─▶ write ─▶ check
 *            │ no: reason        │ no: the lines that are missing
 *            ▼                   ▼
 *         ask again, or end   ask again, or end
 *
 * The broker and the database are tried with the settings as the service would read them: the text
 * goes through a file in memory and the usual reader.
 *
 * Connects to the broker under a client id of its own, whose session ends with the connection, and
 * to the database, where it creates nothing: it prints the commands for what is missing. Leaves
 * behind one file, the configuration.
 *
 * Exit codes: 0 the file is written and `check --database` finds no mistake; 1 no file is written,
 * because the broker or the database did not work, a person left, or the file exists and --force
 * was not given; also when the written file could not be compared with the database; 3 the file is
 * written, but tables that exist do not fit its rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cli/commands.h"
#include "cli/init_answers.h"
#include "cli/init_text.h"
#include "cli/lesson.h"
#include "mqtt/broker_check.h"
#include "pg/pg_missing.h"
#include "route/topic_filter.h"

/* The result of one step of the way. A step with STEP_AGAIN is repeated only for a person. */
enum step {
    STEP_DONE,
    STEP_AGAIN, /* it did not work: ask once more */
    STEP_ENDED, /* a person has left */
};

/* --- the settings as the service reads them --------------------------------------------------- */

/* The settings outside of the rules, checked. NULL: the mistakes were printed. The caller frees
 * them. The text may hold a password: the file that the reader gets exists in memory only, and
 * the text is overwritten. */
static struct config *read_settings(const struct init_answers *answers)
{
    struct problems problems = {0};
    struct config *config = NULL;
    struct buf text = {0};
    struct error error;
    char path[40];
    int fd = memfd_create("mqtt2pg-init", MFD_CLOEXEC);

    init_append_settings(&text, answers);
    /* The reader warns of passwords in files that others can read. */
    if (fd < 0 || fchmod(fd, 0600) < 0 ||
        file_write(fd, text.data, text.length, 0, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: no memory for the settings: %s\n", strerror(errno));
    } else {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        config = config_load_settings(path, &problems);
    }
    problems_print(&problems, stdout);
    if (problems.errors > 0) {
        config_free(config);
        config = NULL;
    }
    problems_fini(&problems);
    if (fd >= 0) {
        close(fd);
    }
    explicit_bzero(text.data, text.length);
    buf_fini(&text);
    return config;
}

/* --- the broker ------------------------------------------------------------------------------- */

/* Connects to the broker and says how that went. */
static bool broker_answers(const struct init_answers *answers)
{
    struct config *config = read_settings(answers);
    const struct subscription_set none = {0};
    struct broker_report report = {0};
    struct error error = {0};
    char *client_id;
    bool good;

    if (config == NULL) {
        return false;
    }
    client_id = broker_visitor_id(&config->broker, "init");
    good = broker_check(&config->broker, client_id, &none, &report, &error) == OUTCOME_OK;
    if (good) {
        printf("broker: connected to %s, %s\n", report.url, broker_kind_name(report.kind));
    } else {
        printf("broker: no connection: %s\n", error.text);
    }
    broker_report_fini(&report);
    free(client_id);
    config_free(config);
    return good;
}

/* Asks for the broker and tries it. */
static enum step choose_broker(struct init_answers *answers, bool again)
{
    if (!init_ask_broker(answers, again)) {
        return STEP_ENDED;
    }
    assert(answers->broker != NULL);
    return broker_answers(answers) ? STEP_DONE : STEP_AGAIN;
}

/* --- the database ----------------------------------------------------------------------------- */

/* Prints the commands that create or grant what is missing. */
static void say_missing(struct buf *lines)
{
    assert(lines->length > 0);
    printf("  run what is missing as an administrator of PostgreSQL:\n%s", buf_string(lines));
}

/* Connects to the database, and says how that went and what is missing there. False unless the
 * service could store now. */
static bool database_answers(const struct init_answers *answers)
{
    struct config *config = read_settings(answers);
    struct pg_connection *connection;
    struct buf lines = {0};
    struct error error = {0};
    bool missing = false;
    bool good;

    if (config == NULL) {
        return false;
    }
    connection = pg_connection_new(&config->database);
    good = pg_connect(connection, &error) == OUTCOME_OK;
    if (pg_missing_append(&lines, connection, config->database.conninfo, good ? NULL : &error,
                          &missing) != OUTCOME_OK) {
        good = false;
        error_set(&error, OUTCOME_RETRY, "the privileges could not be read");
    }
    if (!good) {
        printf("database: no connection: %s\n", error.text);
    } else if (missing) {
        printf("database: connected to %s, which may not make tables there\n",
               pg_target(connection));
    } else {
        printf("database: connected to %s, which may make tables there\n", pg_target(connection));
    }
    if (missing) {
        say_missing(&lines);
    }
    buf_fini(&lines);
    pg_connection_free(connection);
    config_free(config);
    return good && !missing;
}

/* Asks for the database and tries it. */
static enum step choose_database(struct init_answers *answers, bool again)
{
    if (!init_ask_database(answers, again)) {
        return STEP_ENDED;
    }
    assert(answers->database != NULL);
    return database_answers(answers) ? STEP_DONE : STEP_AGAIN;
}

/* --- the rules -------------------------------------------------------------------------------- */

/* The comment at the top of the file, and the settings outside of the rules. */
static void append_head(struct buf *out, const struct init_answers *answers,
                        const struct lesson *lesson)
{
    buf_append_text(out, "# Written by mqtt2pg init, out of ");
    lesson_append_seen(lesson, out);
    buf_printf(out,
               ".\n"
               "# Read it through and make it yours: names, types, what is not wanted. With this "
               "file as FILE:\n"
               "#   mqtt2pg -c FILE check --database --broker     every mistake\n"
               "#   mqtt2pg -c FILE run                           the service\n");
    lesson_append_limits(lesson, out);
    buf_append_byte(out, '\n');
    init_append_settings(out, answers);
    buf_append_byte(out, '\n');
}

/* Listens and appends the whole configuration to `out`. STEP_AGAIN: the broker could not be
 * asked, or a person wants to listen to something else. */
static enum step listen(struct init_answers *answers, struct buf *out)
{
    struct config *config = read_settings(answers);
    struct proposal *proposal = NULL;
    struct lesson *lesson = NULL;
    struct error error;
    enum step step = STEP_DONE;

    lesson = config == NULL ? NULL : lesson_new(answers->topic, &error);
    if (lesson == NULL || !lesson_listen(lesson, &config->broker, answers->listen_ms)) {
        step = STEP_AGAIN;
        goto end;
    }
    append_head(out, answers, lesson);
    if (lesson_messages(lesson) > 0) {
        proposal = lesson_propose(lesson);
    }
    if (proposal != NULL && proposal->rule_count > 0) {
        proposal_append(out, proposal);
        goto end;
    }
    printf("no message with a payload came for %s\n", answers->topic);
    if (init_ask_whether(answers, "listen again, or to another topic", false)) {
        step = STEP_AGAIN;
    } else {
        printf("every message will be stored whole, in the table mqtt_messages\n");
        init_append_whole_messages(out, answers->topic);
    }
end:
    thread_unblock_signals();
    proposal_free(proposal);
    lesson_free(lesson);
    config_free(config);
    return step;
}

/* Asks for the topic, listens, and makes the whole text. */
static enum step choose_rules(struct init_answers *answers, bool again, struct buf *out)
{
    if (!init_ask_topic(answers, again)) {
        return STEP_ENDED;
    }
    assert(answers->topic != NULL);
    buf_reset(out); /* it holds the attempt before */
    return listen(answers, out);
}

/* --- the file --------------------------------------------------------------------------------- */

/* The file that is written: the one wanted, or, where that one is there and --force replaces it, a
 * temporary one beside it. */
struct output {
    int fd;
    char *path;      /* owned; where links lead to */
    char *temporary; /* owned; NULL: the file itself is written */
};

/* Opens a temporary file beside the one that is there, with its mode. A file with a password is for
 * its owner only, whatever the mode was. */
static void open_beside(struct output *output, const struct stat *there, bool secret)
{
    output->temporary = memory_printf("%s.XXXXXX", output->path);
    output->fd = mkostemp(output->temporary, O_CLOEXEC);
    if (output->fd < 0) {
        free(output->temporary);
        output->temporary = NULL;
        return;
    }
    /* Only root may give files away: for others the file becomes theirs, as with an editor. */
    (void) !fchown(output->fd, there->st_uid, there->st_gid);
    if (fchmod(output->fd, secret ? 0600 : there->st_mode & 0777) < 0) {
        close(output->fd);
        unlink(output->temporary);
        output->fd = -1;
    }
}

/* False, with errno, when it can't be opened. Close it in both cases. */
static bool open_output(struct output *output, const struct init_answers *answers)
{
    bool secret = init_holds_secret(answers);
    char *real = answers->force ? realpath(answers->output, NULL) : NULL;
    struct stat there;

    *output =
        (struct output){.fd = -1, .path = memory_strdup(real == NULL ? answers->output : real)};
    free(real);
    if (answers->force && stat(output->path, &there) == 0 && S_ISREG(there.st_mode)) {
        open_beside(output, &there, secret);
    } else {
        output->fd =
            open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC | (answers->force ? 0 : O_EXCL),
                 secret ? 0600 : 0644);
    }
    return output->fd >= 0;
}

/* Puts the written file into its place, or removes it when it is not `good`. Returns whether it is
 * in its place. */
static bool close_output(struct output *output, bool good)
{
    const char *written = output->temporary == NULL ? output->path : output->temporary;

    assert(output->path != NULL && (!good || output->fd >= 0));
    if (output->fd >= 0) {
        close(output->fd);
        if (good && output->temporary != NULL) {
            (void) FAULT("init.renamed");
            good = rename(output->temporary, output->path) == 0;
        }
        if (!good) {
            unlink(written);
        }
    }
    free(output->path);
    free(output->temporary);
    return good;
}

/* Writes the text into the file. What was there before stays until the new file is whole, on the
 * disk. */
static bool write_file(const struct init_answers *answers, const struct buf *text)
{
    struct output output;
    struct error error = {.text = ""};
    bool good = open_output(&output, answers);

    assert(text->length > 0);
    if (!good) {
        error_set(&error, OUTCOME_RETRY, "%s", strerror(errno));
    }
    good = good && file_write(output.fd, text->data, text->length, 0, &error) == OUTCOME_OK &&
           file_sync(output.fd, &error) == OUTCOME_OK;
    if (!close_output(&output, good)) {
        fprintf(stderr, "mqtt2pg: %s: %s\n", answers->output,
                error.text[0] != '\0' ? error.text : strerror(errno));
        return false;
    }
    return true;
}

/* Runs `check --database` on the written file, and says what to do next. Returns the exit code
 * of the check. */
static int check_file(const struct init_answers *answers)
{
    char database[] = "--database";
    char *arguments[] = {database, NULL};
    const struct cli_call call = {.config_file = answers->output,
                                  .config_given = true,
                                  .count = 1,
                                  .arguments = arguments,
                                  .name = "check",
                                  .usage = ""};
    int exit_code = cli_check(&call);

    if (exit_code == CLI_DONE) {
        printf("%s is written. Read it through, then: mqtt2pg -c %s run\n", answers->output,
               answers->output);
    } else {
        printf("%s is written, but it does not fit yet: edit it, then: mqtt2pg -c %s check "
               "--database\n",
               answers->output, answers->output);
    }
    return exit_code;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Goes through the steps. A script goes once, and is told of both the broker and the database
 * even when the first does not work; a person is asked again and again. True: `text` holds the
 * whole configuration. */
static bool go_through_steps(struct init_answers *answers, struct buf *text)
{
    enum step broker = STEP_AGAIN;
    enum step database = STEP_AGAIN;
    enum step rules = STEP_AGAIN;

    for (bool again = false; broker == STEP_AGAIN && (!again || answers->ask); again = true) {
        broker = choose_broker(answers, again);
    }
    for (bool again = false;
         broker != STEP_ENDED && database == STEP_AGAIN && (!again || answers->ask); again = true) {
        database = choose_database(answers, again);
    }
    for (bool again = false; broker == STEP_DONE && database == STEP_DONE && rules == STEP_AGAIN &&
                             (!again || answers->ask);
         again = true) {
        rules = choose_rules(answers, again, text);
    }
    assert(rules != STEP_DONE || (broker == STEP_DONE && database == STEP_DONE));
    return rules == STEP_DONE;
}

/* Looks for the file first: nobody should answer questions in vain. */
int cli_init(const struct cli_call *call)
{
    struct init_answers answers;
    struct buf text = {0};
    int exit_code = init_answers_parse(call, &answers);

    if (exit_code == CLI_DONE && !answers.force && access(answers.output, F_OK) == 0) {
        fprintf(stderr,
                "mqtt2pg: %s is there already: --force replaces it, --output FILE writes another\n",
                answers.output);
        exit_code = CLI_FAILED;
    }
    if (exit_code == CLI_DONE) {
        exit_code = go_through_steps(&answers, &text) && write_file(&answers, &text)
                        ? check_file(&answers)
                        : CLI_FAILED;
    }
    if (text.length > 0) {
        explicit_bzero(text.data, text.length);
    }
    buf_fini(&text);
    init_answers_fini(&answers);
    return exit_code;
}
