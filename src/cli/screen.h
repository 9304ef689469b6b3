/*
 * screen: one picture after the other on a terminal, in place, without flicker, cut to its window.
 *
 * The escape sequences are those of ECMA-48 (home, erase to the end of line and page) and DECAWM
 * (no wrapping while a picture is written), which every terminal of today knows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_SCREEN_H
#define MQTT2PG_CLI_SCREEN_H

#include "base/buf.h"

/* Appends `picture`, lines that end in a newline, as the bytes to be written to a window of so
 * many rows; 0: nobody knows how many. A picture with more lines is cut, and the last row says
 * how many are left out. Pure. */
void screen_append(struct buf *out, struct slice picture, unsigned rows);

/* Writes the picture to the terminal on standard output, at once. */
void screen_show(struct slice picture);

#endif
