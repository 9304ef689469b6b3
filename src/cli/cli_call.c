/* SPDX-License-Identifier: MIT */
#include "cli/cli_call.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

void cli_print_usage(const struct cli_call *call, FILE *out)
{
    assert(call->name != NULL && call->usage != NULL); /* a command was recognised */
    fprintf(out, "usage: mqtt2pg [--config FILE] %s%s%s\n", call->name,
            call->usage[0] == '\0' ? "" : " ", call->usage);
}

int cli_usage(const struct cli_call *call, const char *format, ...)
{
    va_list arguments;

    assert((call->name == NULL) == (call->usage == NULL));
    fputs("mqtt2pg: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    if (call->name != NULL) {
        cli_print_usage(call, stderr);
    } else {
        fputs("try: mqtt2pg --help\n", stderr);
    }
    return CLI_USAGE;
}

const char *cli_option(const struct cli_call *call, int *at, const char *name)
{
    assert(*at >= 0 && *at < call->count);
    const char *argument = call->arguments[*at];
    size_t length = strlen(name);

    if (strncmp(argument, name, length) != 0) {
        return NULL;
    }
    if (argument[length] == '=') {
        return argument + length + 1;
    }
    /* --rules is not --rule */
    if (argument[length] != '\0') {
        return NULL;
    }
    /* The name is the last word. "" makes the caller refuse the value, whatever it expects. */
    if (*at + 1 >= call->count) {
        return "";
    }
    const char *value = call->arguments[++*at];
    assert(*at < call->count);
    return value == NULL ? "" : value;
}

struct generation *cli_load(const struct cli_call *call, FILE *out)
{
    struct problems problems = {0};
    struct generation *generation = generation_load(call->config_file, NULL, &problems);

    assert(generation == NULL || problems.errors == 0);
    problems_print(&problems, out); /* warnings as well, also when it could be loaded */
    problems_fini(&problems);
    return generation;
}
