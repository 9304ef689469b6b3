/*
 * Each fact is a function of the subject (FACT) and a row of the table at the end of this file,
 * which also says where the fact is known and which type a column of it gets.
 *
 * Facts borrow from the message; only numbers are written into the arena. A fact that a message
 * does not have (an MQTT 5 property) is null.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/facts.h"

#include "core/property.h"

struct value value_of_integer(uint64_t integer, struct arena *arena)
{
    char field[20];
    char *end = field + sizeof(field);
    char *at = end;
    do {
        *--at = (char) ('0' + (int) (integer % 10));
        integer /= 10;
    } while (integer > 0);
    return value_number(arena_copy(arena, slice_make(at, (size_t) (end - at))));
}

/* Facts that are not there are null. */
static struct value text_or_null(const char *text)
{
    return text == NULL ? value_null() : value_text(slice_of(text));
}

/* --- about the message ------------------------------------------------------------------------ */

#define UNUSED __attribute__((unused))
#define FACT(id) \
    static struct value get_##id(const struct subject *subject, struct slice name UNUSED, \
                                 struct arena *arena UNUSED)

FACT(topic)
{
    return value_text(subject->message->topic);
}

FACT(payload)
{
    return value_bytes(subject->message->payload);
}

FACT(key)
{
    return subject->key;
}

FACT(received_at)
{
    return value_time(subject->message->received_at_us);
}

FACT(qos)
{
    return value_of_integer(subject->message->qos, arena);
}

FACT(retain)
{
    return value_boolean(subject->message->retained);
}

FACT(duplicate)
{
    return value_boolean(subject->message->duplicate);
}

FACT(rule)
{
    return text_or_null(subject->rule);
}

FACT(client_id)
{
    return text_or_null(subject->client_id);
}

/* --- MQTT 5 properties ------------------------------------------------------------------------ */

/* The MQTT 5 property of the message, if it has one. */
static bool find(const struct subject *subject, enum property id, struct property_item *item)
{
    return property_find(subject->message->properties, id, item);
}

FACT(content_type)
{
    struct property_item item;
    return find(subject, PROPERTY_CONTENT_TYPE, &item) ? value_text(item.value) : value_null();
}

FACT(response_topic)
{
    struct property_item item;
    return find(subject, PROPERTY_RESPONSE_TOPIC, &item) ? value_text(item.value) : value_null();
}

FACT(correlation_data)
{
    struct property_item item;
    return find(subject, PROPERTY_CORRELATION_DATA, &item) ? value_bytes(item.value) : value_null();
}

FACT(message_expiry)
{
    struct property_item item;
    return find(subject, PROPERTY_MESSAGE_EXPIRY, &item) ? value_of_integer(item.number, arena)
                                                         : value_null();
}

FACT(property)
{
    struct property_item item;
    return property_find_user(subject->message->properties, name, &item) ? value_text(item.value)
                                                                         : value_null();
}

/* --- about its acknowledgment ----------------------------------------------------------------- */

FACT(status)
{
    return subject->ack == NULL ? value_null()
                                : text_or_null(subject->ack->stored ? "stored" : "rejected");
}

FACT(reason)
{
    return subject->ack == NULL ? value_null() : text_or_null(subject->ack->reason);
}

FACT(sqlstate)
{
    return subject->ack == NULL ? value_null() : text_or_null(subject->ack->sqlstate);
}

FACT(rows)
{
    return subject->ack == NULL ? value_null() : value_of_integer(subject->ack->rows, arena);
}

FACT(stored_at)
{
    return subject->ack == NULL || subject->ack->stored_at_us == 0
               ? value_null()
               : value_time(subject->ack->stored_at_us);
}

const struct fact facts[] = {
    {"topic", FACT_ANYWHERE, false, "text", "the topic", get_topic},
    {"payload", FACT_ANYWHERE, false, "bytea", "the payload's bytes as they came", get_payload},
    {"key", FACT_IN_ROWS, false, "text",
     "inside rows: the member's name or the element's index, from 0", get_key},
    {"received_at", FACT_ANYWHERE, false, "timestamptz", "when the bridge received the message",
     get_received_at},
    {"qos", FACT_ANYWHERE, false, "smallint", "0, 1 or 2, as delivered", get_qos},
    {"retain", FACT_ANYWHERE, false, "boolean", "had the broker kept it from before?", get_retain},
    {"duplicate", FACT_ANYWHERE, false, "boolean", "did the broker say it may have sent it before?",
     get_duplicate},
    {"rule", FACT_ANYWHERE, false, "text", "the rule's name", get_rule},
    {"client_id", FACT_ANYWHERE, false, "text", "the bridge's client id", get_client_id},
    {"content_type", FACT_ANYWHERE, false, "text", "MQTT 5: the content type", get_content_type},
    {"response_topic", FACT_ANYWHERE, false, "text", "MQTT 5: where an answer is wanted",
     get_response_topic},
    {"correlation_data", FACT_ANYWHERE, false, "bytea", "MQTT 5: bytes that belong into an answer",
     get_correlation_data},
    {"message_expiry", FACT_ANYWHERE, false, "bigint",
     "MQTT 5: seconds that were left when it was delivered", get_message_expiry},
    {"property", FACT_ANYWHERE, true, "text",
     "MQTT 5: the first user property NAME; odd names as @property.'odd name'", get_property},
    {"status", FACT_IN_ACK, false, "text", "\"stored\" or \"rejected\"", get_status},
    {"reason", FACT_IN_ACK, false, "text", "why it was rejected", get_reason},
    {"sqlstate", FACT_IN_ACK, false, "text", "PostgreSQL's code, when it refused", get_sqlstate},
    {"rows", FACT_IN_ACK, false, "bigint", "how many rows were stored", get_rows},
    {"stored_at", FACT_IN_ACK, false, "timestamptz", "when its rows were committed", get_stored_at},
};

const size_t fact_count = sizeof(facts) / sizeof(facts[0]);

const struct fact *fact_find(struct slice name)
{
    for (size_t i = 0; i < fact_count; i++) {
        if (slice_is(name, facts[i].name)) {
            return &facts[i];
        }
    }
    return NULL;
}
