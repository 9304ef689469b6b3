/*
 * A condition is a tree of terms (condition_term.h). It is asked twice:
 *
 *   before decoding   condition_early(): terms that need the payload or the row are UNKNOWN. "and"
 *                     with one part that fails fails, "or" with one that holds holds; so a message
 *                     that the topic alone rules out is filtered whatever its payload is
 *   for each row      condition_holds(): every term is known, or rejects the message
 *
 * condition_is_never() and conditions_exclude() need no message: they are for the warnings of
 * `check`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/condition.h"

#include <assert.h>

#include "core/calendar.h"
#include "map/condition_term.h"

struct condition {
    struct arena *arena; /* everything here lives in it */
    struct term *root;
    bool uses_payload; /* cannot be decided before the payload is decoded */
};

/* Does one of the expressions in the tree have the property? */
static bool any_expression(const struct term *term, bool (*has)(const struct expression *))
{
    bool found = term->expression != NULL && has(term->expression);
    for (const struct term *part = term->parts; !found && part != NULL; part = part->next) {
        found = any_expression(part, has);
    }
    return found;
}

enum outcome condition_compile(struct slice text, const struct scope *scope,
                               struct condition **condition, struct error *error)
{
    struct parser parser;
    if (parser_init(&parser, text, scope, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    struct condition *made = arena_alloc(parser.arena, sizeof(*made));
    *made = (struct condition){.arena = parser.arena};
    if (term_parse(&parser, &made->root) != OUTCOME_OK) {
        arena_free(parser.arena);
        return OUTCOME_REJECT;
    }
    made->uses_payload = any_expression(made->root, expression_uses_payload);
    *condition = made;
    return OUTCOME_OK;
}

void condition_free(struct condition *condition)
{
    if (condition != NULL) {
        arena_free(condition->arena);
    }
}

/* --- one comparison --------------------------------------------------------------------------- */

/* The beginning of the day that the time lies in; days begin at midnight UTC. The first day of 64
 * bits has no beginning: it stays as it is. */
static int64_t day_of(int64_t time_us)
{
    int64_t rest = time_us % DAY_US;
    return time_us < INT64_MIN + DAY_US ? time_us : time_us - (rest < 0 ? rest + DAY_US : rest);
}

/* Changes a value to the kind as which values of its "::type" compare. A value that does not fit
 * stays as it is. */
static void take_kind_of_type(enum type_family family, struct value *value)
{
    int64_t time_us;
    switch (family) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_CHAR:
        if (value->kind == VALUE_NUMBER) {
            value->kind = VALUE_TEXT;
        } else if (value->kind == VALUE_BOOLEAN) {
            *value = value_text(slice_of(value->boolean ? "true" : "false"));
        }
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        if (value->kind == VALUE_TEXT && compare_reads_time(value->text, &time_us)) {
            *value = value_time(time_us);
        }
        break;
    case TYPE_DATE:
        if (value->kind == VALUE_TIME ||
            (value->kind == VALUE_TEXT && compare_reads_time(value->text, &time_us))) {
            *value = value_time(day_of(value->kind == VALUE_TIME ? value->time_us : time_us));
        }
        break;
    default:
        break;
    }
}

/* Has the value a text that like and ~ can look at? A number is matched by its digits as they
 * came. */
static bool is_text(const struct value *value)
{
    return value->kind == VALUE_TEXT || value->kind == VALUE_NUMBER || value->kind == VALUE_BYTES;
}

/* Bytes of the character that begins here. */
static size_t character_bytes(struct slice text, size_t at)
{
    assert(at < text.length);
    size_t length = 1;
    while (at + length < text.length && ((unsigned char) text.data[at + length] & 0xc0) == 0x80) {
        length++;
    }
    return length;
}

/* Matches as SQL's LIKE. After a mismatch it goes back to the last "%" and never further, so the
 * time is bounded by the product of both lengths. */
static bool is_like(struct slice text, struct slice pattern)
{
    size_t at = 0;
    size_t wanted = 0;
    size_t back_at = 0;
    size_t back_wanted = SIZE_MAX; /* behind the last "%" */
    while (at < text.length || wanted < pattern.length) {
        char next = wanted < pattern.length ? pattern.data[wanted] : '\0';
        bool escaped = next == '\\' && wanted + 1 < pattern.length;
        char literal = escaped ? pattern.data[wanted + 1] : next;
        if (next == '%') {
            back_wanted = ++wanted;
            back_at = at;
        } else if (next == '_' && at < text.length) {
            at += character_bytes(text, at);
            wanted++;
        } else if (wanted < pattern.length && next != '_' && at < text.length &&
                   text.data[at] == literal) {
            at++;
            wanted += 1 + escaped;
        } else if (back_wanted != SIZE_MAX && back_at < text.length) {
            back_at += character_bytes(text, back_at);
            at = back_at;
            wanted = back_wanted;
        } else {
            return false;
        }
    }
    return true;
}

/* Is the value equal to one of the constants? A null equals none. */
static bool is_in(const struct term *term, const struct value *value)
{
    assert(term->kind == TERM_IN && term->count > 0);
    for (size_t i = 0; i < term->count; i++) {
        if (compare_value(value, &term->constants[i]) == RELATION_EQUAL) {
            return true;
        }
    }
    return false;
}

/* Does the term hold? For terms with an expression. */
static enum outcome leaf_holds(const struct term *term, const struct subject *subject,
                               struct arena *arena, bool *holds, struct error *error)
{
    struct value value;
    if (expression_evaluate(term->expression, subject, arena, &value, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    take_kind_of_type(term->family, &value);
    switch (term->kind) {
    case TERM_NULL:
        *holds = value.kind == VALUE_NULL;
        return OUTCOME_OK;
    case TERM_IN:
        *holds = is_in(term, &value);
        return OUTCOME_OK;
    case TERM_LIKE:
        *holds = is_text(&value) && is_like(value.text, term->pattern);
        return OUTCOME_OK;
    case TERM_REGEX:
        *holds = false;
        return is_text(&value) ? regex_matches(term->regex, value.text, holds, error) : OUTCOME_OK;
    default:
        assert(term->kind == TERM_COMPARE && term->count == 1);
        *holds = (term->holds_for & compare_value(&value, &term->constants[0])) != 0;
        return OUTCOME_OK;
    }
}

/* --- the tree --------------------------------------------------------------------------------- */

/* How a tree is evaluated. */
struct evaluation {
    const struct subject *subject;
    struct arena *arena;
    struct error *error;
    bool early; /* without the decoded payload */
};

/* Decides a term without parts. In the early evaluation a term that needs the decoded payload or
 * the row is unknown, and so is one whose expression rejects: the second evaluation tells why. */
static enum outcome decide_leaf(const struct evaluation *evaluation, const struct term *term,
                                enum truth *truth)
{
    assert(term->expression != NULL);
    bool holds = false;
    *truth = TRUTH_UNKNOWN;
    if (evaluation->early &&
        (expression_uses_payload(term->expression) || expression_varies_by_row(term->expression))) {
        return OUTCOME_OK;
    }
    enum outcome outcome =
        leaf_holds(term, evaluation->subject, evaluation->arena, &holds, evaluation->error);
    if (outcome == OUTCOME_OK) {
        *truth = holds ? TRUTH_HOLDS : TRUTH_FAILS;
    }
    return evaluation->early ? OUTCOME_OK : outcome;
}

/* Evaluates from left to right and stops at the part that decides. The recursion is as deep as the
 * parentheses, which the parser bounds. */
static enum outcome decide(const struct evaluation *evaluation, const struct term *term,
                           enum truth *truth)
{
    if (term->parts == NULL) {
        return decide_leaf(evaluation, term, truth);
    }
    enum truth decisive = term->kind == TERM_OR ? TRUTH_HOLDS : TRUTH_FAILS;
    enum truth sum = term->kind == TERM_OR ? TRUTH_FAILS : TRUTH_HOLDS;
    for (const struct term *part = term->parts; part != NULL; part = part->next) {
        enum outcome outcome = decide(evaluation, part, truth);
        if (outcome != OUTCOME_OK || (*truth == decisive && term->kind != TERM_NOT)) {
            return outcome;
        }
        sum = *truth == TRUTH_UNKNOWN ? TRUTH_UNKNOWN : sum;
    }
    if (term->kind != TERM_NOT) {
        *truth = sum;
    } else if (*truth != TRUTH_UNKNOWN) {
        *truth = *truth == TRUTH_HOLDS ? TRUTH_FAILS : TRUTH_HOLDS;
    }
    return OUTCOME_OK;
}

enum outcome condition_holds(const struct condition *condition, const struct subject *subject,
                             struct arena *arena, bool *holds, struct error *error)
{
    const struct evaluation evaluation = {.subject = subject, .arena = arena, .error = error};
    enum truth truth = TRUTH_FAILS;
    enum outcome outcome = decide(&evaluation, condition->root, &truth);
    assert(outcome != OUTCOME_OK || truth != TRUTH_UNKNOWN);
    *holds = truth == TRUTH_HOLDS;
    return outcome;
}

enum truth condition_early(const struct condition *condition, const struct subject *subject,
                           struct arena *arena)
{
    struct error ignored;
    const struct evaluation evaluation = {
        .subject = subject, .arena = arena, .error = &ignored, .early = true};
    enum truth truth = TRUTH_UNKNOWN;
    return decide(&evaluation, condition->root, &truth) == OUTCOME_OK ? truth : TRUTH_UNKNOWN;
}

/* --- asking ----------------------------------------------------------------------------------- */

bool condition_uses_payload(const struct condition *condition)
{
    return condition->uses_payload;
}

static bool is_not_constant(const struct expression *expression)
{
    return !expression_is_constant(expression, NULL);
}

bool condition_is_never(const struct condition *condition)
{
    static const struct subject nothing = {0};
    const struct term *root = condition->root;
    struct error error;
    bool holds = true;
    if (!any_expression(root, is_not_constant)) {
        return condition_holds(condition, &nothing, condition->arena, &holds, &error) ==
                   OUTCOME_OK &&
               !holds;
    }
    return root->kind == TERM_COMPARE && expression_is_bare_capture(root->expression) &&
           root->constants[0].value.kind == VALUE_BOOLEAN &&
           (root->holds_for & RELATION_UNEQUAL) == 0;
}

/* The condition's root without its "not"; *around: there was one. */
static const struct term *leaf_of(const struct condition *condition, bool *around)
{
    assert(condition->root != NULL);
    const struct term *term = condition->root;
    *around = term->kind == TERM_NOT;
    return *around ? term->parts : term;
}

/* Is there a value that has one of the relations `lower` to a constant and one of the relations
 * `upper` to a larger constant? */
static bool meet_apart(unsigned lower, unsigned upper)
{
    bool below = (lower & RELATION_LESS) != 0 && (upper & RELATION_LESS) != 0;
    bool at_lower = (lower & RELATION_EQUAL) != 0 && (upper & RELATION_LESS) != 0;
    bool between = (lower & RELATION_GREATER) != 0 && (upper & RELATION_LESS) != 0;
    bool at_upper = (lower & RELATION_GREATER) != 0 && (upper & RELATION_EQUAL) != 0;
    bool above = (lower & RELATION_GREATER) != 0 && (upper & RELATION_GREATER) != 0;
    bool unlike = (lower & RELATION_UNEQUAL) != 0 && (upper & RELATION_UNEQUAL) != 0;
    return below || at_lower || between || at_upper || above || unlike;
}

/* Does the term hold for null? `around`: the term is turned into its opposite, which only "is
 * null" can be here. */
static bool takes_null(const struct term *term, bool around)
{
    assert(!around || term->kind == TERM_NULL);
    return term->kind == TERM_NULL ? !around : (term->holds_for & RELATION_UNEQUAL) != 0;
}

/* Two comparisons of one expression with constants: is there no value for which both hold? */
static bool comparisons_exclude(const struct term *left, const struct term *right)
{
    assert(left->kind == TERM_COMPARE && right->kind == TERM_COMPARE);
    const struct constant *one = &left->constants[0];
    const struct constant *other = &right->constants[0];
    if (one->is_time || other->is_time || one->value.kind != other->value.kind) {
        return false;
    }
    switch (compare_value(&other->value, one)) { /* the right constant to the left one */
    case RELATION_EQUAL:
        return (left->holds_for & right->holds_for) == 0;
    case RELATION_GREATER:
        return !meet_apart(left->holds_for, right->holds_for);
    default:
        return !meet_apart(right->holds_for, left->holds_for);
    }
}

bool conditions_exclude(const struct condition *left_condition,
                        const struct condition *right_condition)
{
    bool left_around;
    bool right_around;
    const struct term *left = leaf_of(left_condition, &left_around);
    const struct term *right = leaf_of(right_condition, &right_around);
    bool left_null = left->kind == TERM_NULL;
    bool right_null = right->kind == TERM_NULL;
    if ((!left_null && (left->kind != TERM_COMPARE || left_around)) ||
        (!right_null && (right->kind != TERM_COMPARE || right_around)) ||
        !slice_equal(left->source, right->source)) {
        return false;
    }
    if (left_null || right_null) {
        /* One side says "is null": both hold for null, or never. */
        bool left_takes = takes_null(left, left_around);
        bool right_takes = takes_null(right, right_around);
        return left_null && left_takes     ? !right_takes
               : right_null && right_takes ? !left_takes
                                           : false;
    }
    return !(takes_null(left, false) && takes_null(right, false)) &&
           comparisons_exclude(left, right);
}
