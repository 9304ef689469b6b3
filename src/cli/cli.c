/*
 * The command line from main() to a command: finds the command in the table below, handles the
 * options that every command takes, and calls it.
 *
 *   mqtt2pg [--config FILE] COMMAND [the command's own arguments]
 *
 * The common options (--config, --help, --version) may stand before or behind the command, up to
 * a "--". A new command needs three things: a row in the table, a declaration in commands.h and a
 * file cli_NAME.c.
 *
 * Exit codes are those of enum cli_exit. "mqtt2pg" without a command prints the help to standard
 * error and fails with CLI_USAGE, so that a script that forgot the command notices; "mqtt2pg
 * --help" prints the same text to standard output and succeeds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cli.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/text.h"
#include "base/thread.h"
#include "cli/commands.h"

/* Where the Debian package and the manual page put the configuration. */
#define CONFIG_FILE_DEFAULT "/etc/mqtt2pg/mqtt2pg.cfg"

/* One row of the table. All strings are literals. */
struct cli_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;   /* one line */
    const char *help;      /* the rest of --help; "" = none */
    int (*run)(const struct cli_call *call);
};

/* In the order of the help: the service first, then the commands of the first hour (init,
 * learn), then those that look at a configuration, then those that look at a running service. */
static const struct cli_command commands[] = {
    {"run", "", "run the service in the foreground",
     "SIGTERM and SIGINT stop the service cleanly. SIGHUP makes it read the\n"
     "configuration again: a configuration with mistakes is refused, and the service\n"
     "goes on with the old one. \"mqtt2pg settings\" says which settings need a restart.\n"
     "\n"
     "Exit code 3: the configuration has a mistake. Exit code 4: the service cannot\n"
     "start, because another process uses its journal or stores as the same client_id.\n",
     cli_run},
    {"init",
     "[--broker URL] [--username NAME] [--password-file F] [--ca-file F] [--protocol 5|3.1.1] "
     "[--client-id ID] [--database CONNINFO] [--database-password-file F] [--topic FILTER] "
     "[--for D] [--journal DIR] [--http ADDRESS] [--output FILE] [--force] [--yes]",
     "ask for broker and database, try both, and write a configuration that runs",
     "Asks for what no option says. Without a terminal, or with --yes, it asks nothing\n"
     "and takes the defaults, which stand in brackets below. Connects to broker and\n"
     "database, and prints what has to be created or granted in PostgreSQL. Then it\n"
     "listens to the broker as \"learn\" does, and writes rules and tables for the\n"
     "messages that came. When no message came, one rule stores every message whole.\n"
     "\n"
     "--broker URL        mqtt://host, or mqtts://host for TLS [mqtt://localhost:1883]\n"
     "--username NAME     the user at the broker. A person is asked for the password,\n"
     "                    which is written to the configuration (mode 0600)\n"
     "--password-file F   a file that holds this user's password (mode 0600)\n"
     "--ca-file F         certificates to check the broker's with [the system's]\n"
     "--protocol P        3.1.1 for a broker that does not speak MQTT 5 [5]\n"
     "--client-id ID      the service's name at the broker; no two bridges may have\n"
     "                    the same [mqtt2pg-HOSTNAME]\n"
     "--database C        connection string or URI of libpq [dbname=telemetry]\n"
     "--database-password-file F\n"
     "                    a file that holds the password for the database (mode 0600)\n"
     "--topic FILTER      the messages to store, such as 'devices/#' [#]\n"
     "--for D             how long to listen, such as 5m [30s]\n"
     "--journal DIR       where messages wait on disk [journal, beside the\n"
     "                    configuration; /var/lib/mqtt2pg for one in /etc]\n"
     "--http ADDRESS      where the status page is; '' for none [127.0.0.1:9464]\n"
     "--output FILE       the configuration to be written [mqtt2pg.cfg]\n"
     "--force             replace FILE when it exists; it stays until the new one is whole\n"
     "--yes               ask nothing\n"
     "\n"
     "Exit code 1: the broker or the database did not work; no file is written. Exit\n"
     "code 3: the file is written, but tables that exist do not fit its rules.\n",
     cli_init},
    {"learn", "FILTER [--for D] [--broker URL] [--sql]",
     "listen without storing, and propose rules and tables for what comes",
     "Listens to the broker of the configuration, which needs no rules yet. Prints a\n"
     "configuration for the messages that came: topics as patterns, fields as columns\n"
     "with their types. Nothing is stored, acknowledged or published, and no session\n"
     "stays at the broker. Retained messages count.\n"
     "\n"
     "FILTER        an MQTT filter such as 'devices/#'; in 'site/{plant}/#' the second\n"
     "              level has the name plant\n"
     "--for D       how long to listen (30s); Ctrl-C ends it earlier and prints the\n"
     "              proposal for what came until then\n"
     "--broker URL  listen to this broker; no configuration is needed then\n"
     "--sql         print only the SQL that creates the proposed tables\n"
     "\n"
     "    mqtt2pg learn 'devices/#' --for 1m > learned.cfg\n"
     "    mqtt2pg -c learned.cfg check\n"
     "\n"
     "Exit code 1: the broker could not be asked, or nothing came.\n",
     cli_learn},
    {"check", "[--database] [--broker]",
     "report every mistake of the configuration as FILE:LINE: message",
     "--database   also compare every rule with the tables as they are now\n"
     "--broker     also connect to the broker and try each subscription and the status\n"
     "             topic, under another client id: nothing is stored, and a running\n"
     "             service is not disturbed\n"
     "\n"
     "Exit code 1: the database or the broker could not be asked. Exit code 3: there\n"
     "is a mistake. Warnings do not count.\n",
     cli_check},
    {"explain",
     "[--database] [-v] [--hex|--base64] TOPIC [PAYLOAD|--payload-file F] | --journal [--since "
     "D] [--compare OTHER.cfg] [--json]",
     "show what would become of a message; without --database it connects to nothing",
     "For each rule that matches, prints its rows as one JSON object a line, or the\n"
     "reason why the rule rejects or filters the message. The PAYLOAD \"-\" stands for\n"
     "standard input.\n"
     "\n"
     "--payload-file F  read the payload from this file\n"
     "--hex, --base64   the payload is written in hexadecimal or base64\n"
     "--database        ask PostgreSQL: the message is stored in a transaction that is\n"
     "                  rolled back. So types, constraints and triggers count, and the\n"
     "                  rows are shown as they would be stored. Only numbers that were\n"
     "                  taken from sequences are not given back\n"
     "-v, --verbose     also show captures, which line of \"where\" does not hold, and\n"
     "                  the value of each column\n"
     "--journal         for all messages that the journal still holds, also while the\n"
     "                  service runs: how many rows, how many filtered and rejected,\n"
     "                  the most frequent reasons, topics that no rule takes\n"
     "--since D         with --journal: only messages of the last D, such as 1h\n"
     "--compare F       with --journal: also with the configuration F, and which\n"
     "                  messages come out differently\n"
     "--json            with --journal: one JSON object\n"
     "\n"
     "Exit code 1: a rule rejects the message, no rule matches, or the database could\n"
     "not be asked.\n",
     cli_explain},
    {"schema", "",
     "print the SQL that creates the bridge's own tables and those of rules with create", "",
     cli_schema},
    {"dead-letters",
     "list [--rule R] [--client-id ID] [--limit N] [--json] | show ID [--json] | retry [--rule "
     "R] [--client-id ID] [--id ID] | purge [--older-than D] [--rule R] [--client-id ID] "
     "[--all]",
     "look at, retry or remove messages that could not become rows",
     "list          one line for each dead letter, oldest first, at most 1000 or N\n"
     "show ID       everything about one dead letter, payload included\n"
     "retry         send dead letters through today's rules, also while the service\n"
     "              runs. What fails again stays, with the new reason. Nothing is\n"
     "              acknowledged; parked messages of a rule with \"ack\" are left to the\n"
     "              service\n"
     "purge         remove dead letters that are not parked. Those that retry_for tries\n"
     "              again stay, too, unless --rule names theirs. Without --older-than\n"
     "              and --rule it asks a person; a script must say --all\n"
     "\n"
     "--rule R      only those of rule R\n"
     "--client-id ID\n"
     "              those of another bridge that uses the same schema\n"
     "--id ID       retry: only this one\n"
     "--limit N     list: at most N\n"
     "--older-than D\n"
     "              purge: only those older than D, such as 30d\n"
     "--all         purge: those of all rules, without asking\n"
     "--json        list, show: one JSON object each, payload included\n",
     cli_dead_letters},
    {"gaps", "list [--all] | ack ID|--all",
     "list and acknowledge spans of time from which messages may be missing",
     "list         gaps of this client_id that nobody has acknowledged; with --all\n"
     "             also the others\n"
     "ack ID       say that somebody has dealt with this gap: the status page,\n"
     "             \"status\" and the alert no longer report it. The row stays, with\n"
     "             the time\n"
     "ack --all    acknowledge every gap of this client_id\n",
     cli_gaps},
    {"journal", "info|dump|verify", "look into the journal, also while the service runs",
     "info         messages, bytes and positions\n"
     "dump         one JSON object for each message that the journal still holds\n"
     "verify       read the whole journal; exit code 1 when something is damaged\n",
     cli_journal},
    {"replay", "--rule R [--from T] [--to T] [--dry-run [--database]] [--duplicates-are-fine]",
     "send the journal's stored messages through today's rule R once more",
     "Says how many messages the journal still has for the rule, and from when. Then\n"
     "stores their rows in batches, also while the service runs. After an interruption\n"
     "the same command goes on where it was. Nothing is acknowledged. A message that\n"
     "is refused becomes a dead letter; the rest of its batch is stored. Messages that\n"
     "are parked are left to the service.\n"
     "\n"
     "--from T, --to T       only messages received in this span: a time, or how long\n"
     "                       ago, such as 2h\n"
     "--dry-run              only say what would be stored\n"
     "--database             with --dry-run: also ask PostgreSQL what it would refuse,\n"
     "                       in transactions that are rolled back\n"
     "--duplicates-are-fine  replay even when the table already has rows of that time,\n"
     "                       and the rule would add them once more\n",
     cli_replay},
    {"settings", "[--sample|--markdown|--man]",
     "list every setting with type, default, unit and meaning",
     "--sample     as a configuration file with comments\n"
     "--markdown   as a reference page\n"
     "--man        as a part of a manual page\n",
     cli_settings},
    {"status", "[--json] [--watch] [--alive]", "ask the running service how it is",
     "Asks at the configuration's http.listen; without a configuration, at the default\n"
     "address.\n"
     "\n"
     "--json       print the whole answer of /status.json, in one line\n"
     "--watch      ask again every second, until Ctrl-C\n"
     "--alive      only ask whether the service answers. For a supervisor: a service\n"
     "             that waits for its database must not be restarted\n"
     "\n"
     "Exit code 0: the service is ready. Exit code 1: it is not ready, a rule is\n"
     "parked or held, a gap is not acknowledged, or nobody answers.\n",
     cli_status},
    {"tap", "RULE [--count N] [--json]",
     "show a rule's live messages with the rows that they become",
     "Asks the running service at http.listen, which needs http.admin = true. Begins\n"
     "with the newest messages of the journal. The rules are those that the service\n"
     "runs with: an edited file counts after a reload. Shows at most 20 messages a\n"
     "second and counts the rest.\n"
     "\n"
     "--count N    end after N messages; without it, at Ctrl-C\n"
     "--json       one JSON object for each message\n",
     cli_tap},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* NULL when no command has this name. */
static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* The list of commands. `out` is standard output when a person asked for it. */
static void print_help(FILE *out)
{
    fprintf(out, "mqtt2pg stores MQTT messages in PostgreSQL: nothing lost, nothing twice.\n\n"
                 "usage: mqtt2pg [--config FILE] COMMAND [...]\n\ncommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-13s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out, "\noptions:\n"
                 "  -c, --config FILE   the configuration (default: " CONFIG_FILE_DEFAULT ")\n"
                 "  -h, --help          this text; after a command: the help of that command\n"
                 "  -V, --version       the version\n");
}

/* `mqtt2pg COMMAND --help`: usage, summary, then the text of the table. */
static void print_command_help(const struct cli_call *call, const struct cli_command *command)
{
    assert(call->name == command->name && call->usage == command->arguments);
    cli_print_usage(call, stdout);
    printf("\n%s\n", command->summary);
    if (command->help[0] != '\0') {
        printf("\n%s", command->help);
    }
}

/* Suggests the command, or the common option, whose name is spelled most like it. */
static int unknown_command(const struct cli_call *call, const char *name)
{
    static const char *const options[] = {"--config", "--help", "--version"};

    assert(call->name == NULL); /* so cli_usage() points to the list of commands */
    if (name[0] == '-') {
        const char *option = text_suggest(slice_of(name), &options[0],
                                          sizeof(options) / sizeof(options[0]), sizeof(options[0]));

        return cli_usage(call, "unknown option \"%s\"%s%s%s", name,
                         option != NULL ? " (did you mean " : "", option != NULL ? option : "",
                         option != NULL ? "?)" : "");
    }
    const char *meant =
        text_suggest(slice_of(name), &commands[0].name, COMMAND_COUNT, sizeof(commands[0]));

    if (meant != NULL) {
        return cli_usage(call, "unknown command \"%s\" (did you mean %s?)", name, meant);
    }
    return cli_usage(call, "unknown command \"%s\"", name);
}

/* The command line, taken apart. All strings are borrowed from argv. */
struct cli_words {
    const char *config_file;
    bool config_given;
    bool help;
    bool version;
    const char *missing; /* an option without its value; NULL = none */
    char **rest;         /* the command and its arguments, in argv's own array */
    int count;           /* of `rest`; 0 = no command was given */
};

/* Sorts argv into the common options and the rest. Behind "--" everything belongs to the
 * command, even a word like --help. The rest moves to the front of argv[1…], over words that
 * were read already. */
static void split_words(int argc, char **argv, struct cli_words *words)
{
    struct cli_call all = {.count = argc, .arguments = argv};
    bool only_words = false;

    words->rest = argv + 1;
    for (int i = 1; i < argc; i++) {
        const char *config = NULL;

        if (!only_words && ((config = cli_option(&all, &i, "--config")) != NULL ||
                            (config = cli_option(&all, &i, "-c")) != NULL)) {
            words->config_file = config;
            words->config_given = true;
            if (config[0] == '\0') {
                words->missing = "--config";
            }
        } else if (!only_words && words->count == 0 && strncmp(argv[i], "-c", 2) == 0 &&
                   strncmp(argv[i], "-config", 7) != 0) {
            words->config_file = argv[i] + 2; /* -cFILE; behind the command it may be a payload */
            words->config_given = true;
        } else if (!only_words && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            words->help = true;
        } else if (!only_words &&
                   (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)) {
            words->version = true;
        } else if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else {
            assert(words->count < i); /* rest[n] is argv[n + 1]: never ahead of the reading */
            words->rest[words->count++] = argv[i];
        }
    }
}

/* The last word, when it is an option that takes a value: the usage line has a word behind it, as
 * in "[--rule R]". NULL when it is another word. */
static const char *option_without_value(const struct cli_call *call)
{
    const char *last = call->count > 0 ? call->arguments[call->count - 1] : "";
    size_t length = strlen(last);
    const char *at = length > 2 && strncmp(last, "--", 2) == 0 ? strstr(call->usage, last) : NULL;
    for (; at != NULL; at = strstr(at + 1, last)) {
        if (at[length] == ' ' && at[length + 1] != '[' && at[length + 1] != '|') {
            return last;
        }
    }
    return NULL;
}

int cli_main(int argc, char **argv)
{
    struct cli_words words = {.config_file = CONFIG_FILE_DEFAULT};
    const struct cli_command *command = NULL;
    struct cli_call call;

    (void) FAULT("cli.main.begin"); /* tests stop or kill the process here; not in releases */
    split_words(argc, argv, &words);
    if (words.count > 0) {
        command = find_command(words.rest[0]);
    }
    call = (struct cli_call){.config_file = words.config_file,
                             .config_given = words.config_given,
                             .count = words.count - 1,
                             .arguments = words.rest + 1,
                             .name = command == NULL ? NULL : command->name,
                             .usage = command == NULL ? NULL : command->arguments};
    if (words.missing != NULL) {
        return cli_usage(&call, "%s needs a file name", words.missing);
    }
    if (words.version) {
        printf("mqtt2pg %s\n", MQTT2PG_VERSION);
        return CLI_DONE;
    }
    if (words.count > 0 && command == NULL) {
        return unknown_command(&call, words.rest[0]);
    }
    if (words.help && command != NULL) {
        print_command_help(&call, command);
        return CLI_DONE;
    }
    if (command == NULL) {
        print_help(words.help ? stdout : stderr);
        return words.help ? CLI_DONE : CLI_USAGE;
    }
    assert(call.count >= 0);
    if (option_without_value(&call) != NULL) {
        return cli_usage(&call, "%s needs a value", option_without_value(&call));
    }
    /* main() starts with SIGINT and SIGTERM blocked, for the threads of the service. A command has
     * no thread that waits for them: Ctrl-C has to end it. */
    if (command->run != cli_run) {
        thread_unblock_signals();
    }
    return command->run(&call);
}
