/* SPDX-License-Identifier: MIT */
#include "route/plan_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char first_line[] = "mqtt2pg plans 1\n";
static const char last_line[] = "end\n";

/* The highest valid plan number and rank. Both count up by one, so no bridge reaches the limit. */
#define NUMBER_MAX (UINT32_MAX / 2)

void plans_to_text(const struct plans *plans, struct buf *out)
{
    assert(plans->step_count > 0);
    buf_append_text(out, first_line);
    for (size_t i = 0; i < plans->step_count; i++) {
        const struct plan_step *step = &plans->steps[i];

        buf_printf(out, "plan %" PRIu32 " %" PRIu64 " %" PRId64 "\n", step->number, step->behind,
                   step->made_us);
    }
    for (size_t i = 0; i < plans->count; i++) {
        const struct planned *each = &plans->list[i];

        buf_printf(out, "%s %" PRIu32 " %" PRIu32 " %" PRIu32 " %d %d %" PRIu32 " %zu %s\n",
                   each->covered ? "covered" : "subscription", each->born,
                   each->gone == PLAN_NEVER ? 0 : each->gone, each->rank, each->qos,
                   (int) each->retain_handling, each->identifier, strlen(each->filter),
                   each->filter);
    }
    buf_append_text(out, last_line);
}

/* Reads one line "plan …" and moves *at behind it; false when the line is of another kind. */
static bool step_read(const char **at, struct plans *plans, uint64_t last)
{
    struct plan_step step;
    int length = 0;

    if (sscanf(*at, "plan %" SCNu32 " %" SCNu64 " %" SCNd64 "%n", &step.number, &step.behind,
               &step.made_us, &length) != 3 ||
        length == 0 || (*at)[length] != '\n') {
        return false;
    }
    *at += length + 1;
    step.behind = step.behind < last ? step.behind : last;
    plans->steps = memory_resize(plans->steps, (plans->step_count + 1) * sizeof(step));
    plans->steps[plans->step_count++] = step;
    return true;
}

static bool planned_read(const char **at, struct plans *plans)
{
    struct planned each;
    unsigned qos, retain;
    size_t bytes;
    char kind[13];
    int length = 0;

    if (sscanf(*at, "%12s %" SCNu32 " %" SCNu32 " %" SCNu32 " %u %u %" SCNu32 " %zu%n", kind,
               &each.born, &each.gone, &each.rank, &qos, &retain, &each.identifier, &bytes,
               &length) != 8 ||
        (strcmp(kind, "subscription") != 0 && strcmp(kind, "covered") != 0) || length == 0 ||
        (*at)[length] != ' ' || qos > 2 || retain > RETAIN_DO_NOT_SEND ||
        each.identifier > SUBSCRIPTION_IDENTIFIER_MAX || each.rank > NUMBER_MAX || bytes == 0 ||
        strnlen(*at + length + 1, bytes) != bytes || (*at)[(size_t) length + 1 + bytes] != '\n') {
        return false;
    }
    each.covered = strcmp(kind, "covered") == 0;
    each.gone = each.gone == 0 ? PLAN_NEVER : each.gone;
    each.qos = (uint8_t) qos;
    each.retain_handling = (enum retain_handling) retain;
    each.filter = memory_copy(slice_make(*at + length + 1, bytes));
    *at += (size_t) length + 2 + bytes;
    plans->list = memory_resize(plans->list, (plans->count + 1) * sizeof(each));
    plans->list[plans->count++] = each;
    return true;
}

/* Checks the plans of a file for the invariants that plans_check() asserts. */
static bool is_sound(const struct plans *plans)
{
    bool sound = plans->step_count > 0 && plans->step_count <= PLANS_MAX &&
                 plans_newest(plans)->number <= NUMBER_MAX;

    for (size_t i = 1; i < plans->step_count && sound; i++) {
        sound = plans->steps[i - 1].number < plans->steps[i].number &&
                plans->steps[i - 1].behind <= plans->steps[i].behind;
    }
    for (size_t i = 0; i < plans->count && sound; i++) {
        const struct planned *each = &plans->list[i];
        const struct planned *before = i == 0 ? each : each - 1;

        sound = each->born < each->gone && each->born <= plans_newest(plans)->number &&
                each->gone > plans->steps[0].number &&
                (before->rank < each->rank ||
                 (before->rank == each->rank && before->born <= each->born));
    }
    return sound;
}

struct plans *plans_from_text(const char *text, uint64_t last)
{
    struct plans *plans = memory_alloc(sizeof(*plans));
    const char *at = text;

    if (strncmp(at, first_line, sizeof(first_line) - 1) == 0) {
        at += sizeof(first_line) - 1;
        while (step_read(&at, plans, last)) {
        }
        while (planned_read(&at, plans)) {
        }
        if (strcmp(at, last_line) == 0 && is_sound(plans)) {
            plans_check(plans);
            assert(at + sizeof(last_line) - 1 == text + strlen(text));
            return plans;
        }
    }
    plans_free(plans);
    return NULL;
}
