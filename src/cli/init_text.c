/*
 * The text is written for a reader who sees a configuration for the first time: few settings, each
 * in a line of its own, a comment where the consequence is not obvious. Everything that is not in
 * it has its default, which "mqtt2pg settings" lists.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/init_text.h"

#include <assert.h>

#include "config/config_secret.h"
#include "learn/proposal.h"

/* Appends " name = "value";" as a line, with the quotes and escapes of the configuration's
 * language. Nothing for NULL. */
static void append_setting(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        buf_printf(out, "  %-13s = ", name);
        proposal_append_quoted(out, value);
        buf_append_text(out, ";\n");
    }
}

/* Appends the group "broker". A password that was typed stands in it; write_file() of cli_init
 * then makes the file unreadable for others. */
static void append_broker(struct buf *out, const struct init_answers *answers)
{
    buf_append_text(out, "broker:\n{\n");
    append_setting(out, "url", answers->broker);
    buf_append_text(out,
                    "  # the broker keeps the session under it: no two bridges with the same\n");
    append_setting(out, "client_id", answers->client_id);
    append_setting(out, "protocol", answers->protocol);
    append_setting(out, "username", answers->username);
    append_setting(out, "password", answers->password);
    append_setting(out, "password_file", answers->password_file);
    if (answers->ca_file != NULL) {
        buf_append_text(out, "  tls: { ca_file = ");
        proposal_append_quoted(out, answers->ca_file);
        buf_append_text(out, "; };\n");
    }
    buf_append_text(out, "};\n");
}

/* An empty conninfo is legal: libpq then goes by its environment (PGHOST, PGDATABASE, …). */
void init_append_settings(struct buf *out, const struct init_answers *answers)
{
    assert(answers->broker != NULL && answers->client_id != NULL && answers->journal != NULL);
    append_broker(out, answers);
    buf_append_text(out, "database:\n{\n");
    append_setting(out, "conninfo", answers->database == NULL ? "" : answers->database);
    append_setting(out, "password_file", answers->database_password_file);
    buf_append_text(out, "};\njournal:\n{\n"
                         "  # messages wait here until PostgreSQL has them; beside this file when "
                         "it does not begin with /\n");
    append_setting(out, "directory", answers->journal);
    buf_append_text(out, "};\n");
    if (answers->http != NULL) {
        buf_append_text(out, "http:\n{\n");
        append_setting(out, "listen", answers->http);
        buf_append_text(out, "};\n");
    }
}

void init_append_whole_messages(struct buf *out, const char *topic)
{
    buf_append_text(out, "rules = (\n"
                         "  {\n"
                         "    # Every message whole. \"mqtt2pg learn\" proposes columns once "
                         "messages come.\n"
                         "    name    = \"messages\";\n"
                         "    topic   = ");
    proposal_append_quoted(out, topic);
    buf_append_text(out,
                    ";\n"
                    "    format  = \"raw\";\n"
                    "    table   = \"mqtt_messages\";\n"
                    "    create  = true;\n"
                    "    columns =\n"
                    "    {\n"
                    "      received = \"@received_at\";\n"
                    "      topic    = \"@topic\";\n"
                    "      payload  = \"@payload | json_or_text\";   # jsonb: JSON as it came, "
                    "other text as a JSON string\n"
                    "      bytes    = \"@payload | binary\";         # bytea: what is neither\n"
                    "    };\n"
                    "  }\n"
                    ");\n");
}

/* A password typed by a person, or one within the connection string or the URL. The masked texts
 * are thrown away: only whether there was something to mask counts. */
bool init_holds_secret(const struct init_answers *answers)
{
    struct buf masked = {0};
    bool secret =
        answers->password != NULL ||
        (answers->database != NULL && config_secret_mask_conninfo(&masked, answers->database));

    assert(answers->broker != NULL);
    secret |= config_secret_mask_url(&masked, answers->broker);
    buf_fini(&masked);
    return secret;
}
