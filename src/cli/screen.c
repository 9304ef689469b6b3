/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* No wrapping, and the cursor to the top left corner. */
#define BEGIN "\033[?7l\033[H"
/* Erases what an earlier, longer line has left behind. */
#define LINE_END "\033[K\n"
/* Erases the rest of the page; wrapping again. */
#define END "\033[J\033[?7h"

/* Lines that end in a newline. What stands behind the last newline is not shown. */
static unsigned count_lines(struct slice text)
{
    unsigned lines = 0;

    for (size_t i = 0; i < text.length; i++) {
        lines += text.data[i] == '\n';
    }
    return lines;
}

/* Appends `picture`, lines that end in a newline, as the bytes to be written to a window of so
 * many rows; 0: nobody knows how many. A picture with more lines is cut, and the last row says
 * how many are left out. */
static void append_picture(struct buf *out, struct slice picture, unsigned rows)
{
    unsigned lines = count_lines(picture);
    /* The cursor rests in a row of its own, below. */
    bool cut = rows > 0 && lines + 1 > rows;
    unsigned shown = !cut ? lines : rows > 2 ? rows - 2 : 0;

    assert(shown <= lines);
    buf_append_text(out, BEGIN);
    for (unsigned i = 0; i < shown; i++) {
        const char *end = memchr(picture.data, '\n', picture.length);
        size_t length;

        assert(end != NULL); /* `shown` is at most the number of newlines */
        length = (size_t) (end - picture.data);
        buf_append(out, picture.data, length);
        buf_append_text(out, LINE_END);
        picture = slice_make(end + 1, picture.length - length - 1);
    }
    if (cut) {
        buf_printf(out, "… %u more lines" LINE_END, lines - shown);
    }
    buf_append_text(out, END);
}

/* The window's size is asked each time: a person may have changed it. */
void screen_show(struct slice picture)
{
    struct winsize window = {0};
    struct buf out = {0};

    (void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &window); /* leaves 0 when it does not know */
    append_picture(&out, picture, window.ws_row);
    fwrite(out.data, 1, out.length, stdout);
    fflush(stdout);
    buf_fini(&out);
}
