/* What becomes of an acknowledgment with which connections end. SPDX-License-Identifier: MIT */
#include "ack/outbox_loss.h"
#include "unit.h"

enum { STEPS_MAX = 8 };

/* What happens to one entry: "c" the next one is confirmed, "t" a loss while several were to be
 * under way, "l" a loss alone, "L" a loss alone while no more may stand aside, "h" such a loss
 * of one whose kind was given up, "x" the loss is explained, "o" others are confirmed. What comes of each loss: a again, m moved aside, e to the end,
 * g given up. */
static const struct {
    const char *what;
    uint32_t count;
    const char *steps;
    const char *remedies;
    enum outbox_state state;
    uint32_t confirmed;
} cases[] = {
    {"none of several", 5, "", "", OUTBOX_DUE, 0},
    {"once, by chance", 5, "t c c c c c", "a", OUTBOX_ALONE, 5},
    {"one of several", 5, "t c l c c c", "am", OUTBOX_ALONE, 5},
    {"two of several", 5, "t c l l c c", "amm", OUTBOX_ALONE, 5},
    {"the last one", 2, "t c l", "ae", OUTBOX_ASIDE, 1},
    {"alone by chance", 1, "t l c", "ae", OUTBOX_ASIDE, 1},
    {"twice alone by chance", 1, "t l o l c", "aee", OUTBOX_ASIDE, 1},
    {"always", 1, "t l o l l", "aeeg", OUTBOX_ASIDE, 1},
    {"always, and no others", 1, "t l l l l", "aeeee", OUTBOX_ASIDE, 0},
    {"others come late", 1, "t l l l o l", "aeeeg", OUTBOX_ASIDE, 1},
    {"too many aside", 5, "t L L L c", "aaag", OUTBOX_ALONE, 2},
    {"too many aside, by chance", 5, "t L L c L L c", "aaaaa", OUTBOX_ALONE, 2},
    {"a suspect among several", 5, "c l c", "m", OUTBOX_DUE, 3},
    {"a suspect, too many aside", 5, "c L L L c", "aag", OUTBOX_DUE, 3},
    {"two suspects, too many aside", 5, "L L L L L L", "aagaag", OUTBOX_DUE, 2},
    {"kind was given up", 5, "c h c h", "gg", OUTBOX_DUE, 4},
    {"kind was given up, aside", 1, "t l h", "aeg", OUTBOX_ASIDE, 1},
    {"kind was given up, one at a time", 5, "t c h x", "ag", OUTBOX_DUE, 2},
    {"one of several, explained", 5, "t c l x c", "am", OUTBOX_DUE, 3},
    {"the last one, explained", 1, "t l x l", "aee", OUTBOX_ASIDE, 0},
    {"too many aside, an old one", 1, "t l L L", "aeeg", OUTBOX_ASIDE, 1},
};

static void run_case(size_t index)
{
    struct outbox_entry entry = {.count = cases[index].count, .state = OUTBOX_DUE};
    char remedies[STEPS_MAX + 1] = "";
    size_t length = 0;
    uint64_t others = 10;
    UNIT_CASE("%s", cases[index].what);
    for (const char *step = cases[index].steps; *step != '\0'; step++) {
        CHECK_INT_EQ(outbox_entry_step(&entry), entry.state == OUTBOX_DUE ? 1000 : 1);
        if (*step == 'c') {
            outbox_entry_confirmed(&entry, 1);
        } else if (*step == 'o') {
            others++;
        } else if (*step == 'x') {
            outbox_entry_explained(&entry);
        } else if (*step != ' ') {
            const struct outbox_loss loss = {.alone = *step != 't',
                                             .hopeless = *step == 'h',
                                             .aside_full = *step == 'L',
                                             .confirmed = others};
            enum outbox_remedy remedy = outbox_entry_lost(&entry, &loss);
            if (remedy == OUTBOX_MOVE_ASIDE || remedy == OUTBOX_GIVE_UP) {
                outbox_entry_confirmed(&entry, 1);
            }
            remedies[length++] = "ameg"[remedy];
        }
    }
    remedies[length] = '\0';
    CHECK_TEXT_EQ(remedies, cases[index].remedies);
    CHECK_INT_EQ(entry.state, cases[index].state);
    CHECK_INT_EQ(entry.confirmed, cases[index].confirmed);
}

static void test_losses(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_case(i);
    }
}

/* After a thousand alone they go together again. */
static void test_together_again(void)
{
    struct outbox_entry entry = {.count = 5000, .state = OUTBOX_DUE};
    outbox_entry_confirmed(&entry, 1000);
    CHECK_INT_EQ(outbox_entry_lost(&entry, &(struct outbox_loss){0}), OUTBOX_AGAIN);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT_EQ(outbox_entry_step(&entry), 1);
        outbox_entry_confirmed(&entry, 1);
    }
    CHECK_INT_EQ(entry.state, OUTBOX_DUE);
    CHECK_INT_EQ(entry.confirmed, 2000);
}

/* Whose turn it is: the order of the names, then of those that were put behind the others. */
static void test_turns(void)
{
    struct outbox_list list = {0};
    const uint64_t positions[] = {30, 10, 20};
    for (size_t i = 0; i < 3; i++) {
        outbox_list_add(&list, &(struct outbox_entry){.mark = {.position = positions[i]},
                                                      .count = 1,
                                                      .state = OUTBOX_DUE});
    }
    outbox_list_number(&list);
    outbox_list_check(&list);
    CHECK_INT_EQ(outbox_list_first(&list)->mark.position, 10);
    outbox_list_first(&list)->turn = ++list.next_turn;
    CHECK_INT_EQ(outbox_list_first(&list)->mark.position, 20);
    outbox_list_first(&list)->state = OUTBOX_WRITTEN;
    CHECK_INT_EQ(outbox_list_first(&list)->mark.position, 30);
    outbox_list_check(&list);
    outbox_list_fini(&list);
    CHECK(outbox_list_first(&list) == NULL);
}

UNIT_MAIN("outbox_loss", {"losses", test_losses}, {"together again", test_together_again},
          {"turns", test_turns})
