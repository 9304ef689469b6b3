/*
 * The answers come from three places, in this order: options, a person at a terminal, defaults.
 * Without a person (a script, or --yes) nothing is asked and nothing waits for input.
 *
 * All texts lie in the arena of the answers, so that they live as long as the answers do. A
 * password that a person typed is overwritten when the answers go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/init_answers.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "admin/http_address.h"
#include "base/text.h"
#include "mqtt/broker_options.h"
#include "pg/pg_connection.h"
#include "route/topic_filter.h"

/* The defaults that `init --help` shows. In 30 seconds a device that reports every ten seconds is
 * heard three times. */
#define BROKER_DEFAULT "mqtt://localhost:1883"
#define DATABASE_DEFAULT "dbname=telemetry"
#define TOPIC_DEFAULT "#"
#define OUTPUT_DEFAULT "mqtt2pg.cfg"
#define LISTEN_MS_DEFAULT 30000

/* A client id of 23 characters is taken by each broker (MQTT 3.1.1, section 3.1.3.1). */
enum { HOST_CHARACTERS_MAX = 15 };

/* --- options ---------------------------------------------------------------------------------- */

/* A copy of the text in the arena. */
static const char *keep(struct init_answers *answers, const char *text)
{
    return arena_printf(answers->arena, "%s", text).data;
}

/* The absolute path: the configuration may be written into another folder than the one in which the
 * command runs, and the service starts in a third. A file that does not exist yet keeps the given
 * name; reading it will report an error. */
static const char *keep_path(struct init_answers *answers, const char *path)
{
    char *whole = path[0] == '\0' ? NULL : realpath(path, NULL);
    const char *kept = keep(answers, whole == NULL ? path : whole);

    assert(kept != NULL);
    free(whole);
    return kept;
}

/* The options that take a text, and where the text goes. */
struct text_option {
    const char *name;
    size_t offset; /* of the member of struct init_answers, in bytes */
    bool path;     /* names a file: made absolute */
};

#define TO(member) offsetof(struct init_answers, member)

static const struct text_option text_options[] = {
    {"--broker", TO(broker), false},
    {"--username", TO(username), false},
    {"--password-file", TO(password_file), true},
    {"--ca-file", TO(ca_file), true},
    {"--protocol", TO(protocol), false},
    {"--client-id", TO(client_id), false},
    {"--database", TO(database), false},
    {"--database-password-file", TO(database_password_file), true},
    {"--topic", TO(topic), false},
    {"--journal", TO(journal), false},
    {"--http", TO(http), false},
    {"--output", TO(output), false},
};

/* Takes arguments[*at], and its value, when it is one of these options; else false. */
static bool take_text(const struct cli_call *call, int *at, struct init_answers *answers)
{
    assert(*at >= 0 && *at < call->count);
    for (size_t i = 0; i < sizeof(text_options) / sizeof(text_options[0]); i++) {
        const struct text_option *option = &text_options[i];
        const char *value = cli_option(call, at, option->name);

        if (value != NULL) {
            *(const char **) ((char *) answers + option->offset) =
                option->path ? keep_path(answers, value) : keep(answers, value);
            return true;
        }
    }
    return false;
}

/* "mqtt2pg-HOSTNAME", so that two bridges on two machines differ. The name is cut at the first
 * character that some broker may refuse, and to 15 characters. */
static const char *default_client_id(struct init_answers *answers)
{
    char host[HOST_CHARACTERS_MAX + 1] = "";

    /* A longer name is cut, and may then have no end. */
    (void) gethostname(host, sizeof(host));
    host[HOST_CHARACTERS_MAX] = '\0';
    assert(strlen(host) <= HOST_CHARACTERS_MAX);
    host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] = '\0';
    return host[0] == '\0' ? "mqtt2pg" : arena_printf(answers->arena, "mqtt2pg-%s", host).data;
}

/* The service's directory for a configuration in /etc, else one beside the file. */
static const char *default_journal(const struct init_answers *answers)
{
    assert(answers->output != NULL);
    return strncmp(answers->output, "/etc/", 5) == 0 ? "/var/lib/mqtt2pg" : "journal";
}

/* Returns the first mistake in the texts, in `error` or as a literal; NULL when there is none.
 * The questions to a person check with the same functions, so both hear the same words. */
static const char *find_mistake(const struct init_answers *answers, struct error *error)
{
    struct broker_address address;
    struct http_address http;
    struct topic_filter *filter = NULL;
    const char *protocol = answers->protocol;

    if (answers->broker != NULL && !broker_address_parse(answers->broker, &address, error)) {
        return error->text;
    }
    if (answers->database != NULL && pg_check_conninfo(answers->database, error) != OUTCOME_OK) {
        return error->text;
    }
    if (answers->http != NULL && answers->http[0] != '\0' &&
        http_address_parse(answers->http, &http, error) != OUTCOME_OK) {
        return error->text;
    }
    if (answers->topic != NULL &&
        topic_filter_compile(slice_of(answers->topic), &filter, error) != OUTCOME_OK) {
        return error->text;
    }
    topic_filter_free(filter);
    if (protocol != NULL && strcmp(protocol, "5") != 0 && strcmp(protocol, "3.1.1") != 0) {
        return "--protocol is 5 or 3.1.1";
    }
    if (answers->password_file != NULL && answers->username == NULL) {
        return "--password-file needs --username";
    }
    return NULL;
}

int init_answers_parse(const struct cli_call *call, struct init_answers *answers)
{
    const char *value;
    const char *mistake;
    struct error error;
    bool yes = false;

    *answers = (struct init_answers){.arena = arena_new(4096), .listen_ms = LISTEN_MS_DEFAULT};
    for (int i = 0; i < call->count; i++) {
        if ((value = cli_option(call, &i, "--for")) != NULL) {
            if (!text_parse_duration(slice_of(value), &answers->listen_ms) ||
                answers->listen_ms <= 0) {
                return cli_usage(call, "\"%s\" is not a duration like \"30s\"", value);
            }
        } else if (strcmp(call->arguments[i], "--force") == 0) {
            answers->force = true;
        } else if (strcmp(call->arguments[i], "--yes") == 0) {
            yes = true;
        } else if (!take_text(call, &i, answers)) {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    mistake = find_mistake(answers, &error);
    if (mistake != NULL) {
        return cli_usage(call, "%s", mistake);
    }
    answers->ask = !yes && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    answers->output = answers->output == NULL ? OUTPUT_DEFAULT : answers->output;
    answers->client_id =
        answers->client_id == NULL ? default_client_id(answers) : answers->client_id;
    answers->journal = answers->journal == NULL ? default_journal(answers) : answers->journal;
    assert(answers->client_id != NULL && answers->journal != NULL && answers->listen_ms > 0);
    return CLI_DONE;
}

void init_answers_fini(struct init_answers *answers)
{
    if (answers->password != NULL) {
        explicit_bzero((char *) answers->password, strlen(answers->password));
    }
    arena_free(answers->arena);
}

/* --- questions -------------------------------------------------------------------------------- */

/* One line without its end, in the arena; NULL at the end of the input. It may be a password:
 * the room of getline() is overwritten before it is freed. */
static const char *read_line(const struct init_answers *answers)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length = getline(&line, &room, stdin);
    const char *kept = NULL;

    if (length >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        kept = arena_printf(answers->arena, "%s", line).data;
        explicit_bzero(line, room);
    }
    free(line);
    return kept;
}

/* Asks for a text into *answer. An empty line means `otherwise`, which is shown in brackets;
 * NULL when there is none. False at the end of the input: *answer is as it was. */
static bool ask(const struct init_answers *answers, const char *question, const char *otherwise,
                const char **answer)
{
    const char *line;

    assert(answers->ask);
    printf("%s", question);
    if (otherwise != NULL) {
        printf(" [%s]", otherwise);
    }
    printf(": ");
    fflush(stdout);
    line = read_line(answers);
    if (line != NULL) {
        *answer = line[0] == '\0' ? otherwise : line;
    }
    return line != NULL;
}

/* What ends or stops a program from its terminal. */
static const int ending_signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
enum { ENDING_SIGNALS = sizeof(ending_signals) / sizeof(ending_signals[0]) };

/* The terminal as it was before the question. A handler of signals gets no argument. */
static struct termios shown_terminal;

/* Makes the terminal show again what is typed, and ends the process: SA_RESETHAND has given the
 * signal its default action back. Only functions that a handler may call (signal-safety(7)). */
static void show_and_end(int number)
{
    (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown_terminal);
    (void) raise(number);
}

/* Hides what is typed until `show_typing`. Ctrl-Z would leave the shell with a silent terminal: it
 * does nothing meanwhile. A signal that is ignored stays ignored. */
static void hide_typing(struct sigaction before[ENDING_SIGNALS])
{
    struct sigaction action = {.sa_handler = show_and_end, .sa_flags = (int) SA_RESETHAND};
    struct termios hidden = shown_terminal;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ENDING_SIGNALS; i++) {
        (void) sigaction(ending_signals[i], &action, &before[i]);
        if (before[i].sa_handler == SIG_IGN) {
            (void) sigaction(ending_signals[i], &before[i], NULL);
        }
    }
    hidden.c_lflag &= ~(tcflag_t) ECHO;
    hidden.c_cc[VSUSP] = _POSIX_VDISABLE;
    (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
}

static void show_typing(const struct sigaction before[ENDING_SIGNALS])
{
    (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown_terminal);
    for (size_t i = 0; i < ENDING_SIGNALS; i++) {
        (void) sigaction(ending_signals[i], &before[i], NULL);
    }
}

/* Asks without showing what is typed. The terminal is as it was afterwards, also after a signal. */
static bool ask_secret(const struct init_answers *answers, const char *question,
                       const char **answer)
{
    struct sigaction before[ENDING_SIGNALS];
    bool terminal = tcgetattr(STDIN_FILENO, &shown_terminal) == 0;
    bool good;

    assert(answers->ask && answers->password_file == NULL);
    if (terminal) {
        hide_typing(before);
    }
    good = ask(answers, question, NULL, answer);
    if (terminal) {
        show_typing(before);
        printf("\n");
    }
    return good;
}

bool init_ask_broker(struct init_answers *answers, bool again)
{
    const char *otherwise = answers->broker == NULL ? BROKER_DEFAULT : answers->broker;
    struct broker_address address;
    struct error error;
    bool given = answers->broker != NULL;

    if (!answers->ask || (given && !again)) {
        answers->broker = otherwise;
        return true;
    }
    while (true) {
        if (!ask(answers, "URL of the broker; mqtts:// for TLS", otherwise, &answers->broker)) {
            return false;
        }
        if (broker_address_parse(answers->broker, &address, &error)) {
            break;
        }
        printf("%s\n", error.text);
    }
    if (!ask(answers, "user name at the broker; an empty line for none", answers->username,
             &answers->username)) {
        return false;
    }
    return answers->username == NULL || answers->password_file != NULL ||
           ask_secret(answers, "its password", &answers->password);
}

bool init_ask_database(struct init_answers *answers, bool again)
{
    const char *otherwise = answers->database == NULL ? DATABASE_DEFAULT : answers->database;
    struct error error;

    if (!answers->ask || (answers->database != NULL && !again)) {
        answers->database = otherwise;
        return true;
    }
    while (ask(answers,
               again ? "an empty line tries again; or another connection string"
                     : "database, as in host=db.example dbname=telemetry user=bridge",
               otherwise, &answers->database)) {
        if (pg_check_conninfo(answers->database, &error) == OUTCOME_OK) {
            return true;
        }
        printf("%s\n", error.text);
    }
    return false;
}

bool init_ask_topic(struct init_answers *answers, bool again)
{
    const char *otherwise = answers->topic == NULL ? TOPIC_DEFAULT : answers->topic;
    struct topic_filter *filter = NULL;
    struct error error;

    if (!answers->ask || (answers->topic != NULL && !again)) {
        answers->topic = otherwise;
        return true;
    }
    while (ask(answers, "messages to store: a topic filter such as devices/#", otherwise,
               &answers->topic)) {
        if (topic_filter_compile(slice_of(answers->topic), &filter, &error) == OUTCOME_OK) {
            topic_filter_free(filter);
            return true;
        }
        printf("%s\n", error.text);
    }
    return false;
}

bool init_ask_whether(const struct init_answers *answers, const char *question, bool otherwise)
{
    const char *answer = NULL;

    if (!answers->ask || !ask(answers, question, otherwise ? "yes" : "no", &answer)) {
        return otherwise;
    }
    assert(answer != NULL); /* an empty line has given "yes" or "no" */
    return answer[0] == 'y' || answer[0] == 'Y';
}
