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

/* Writes the picture to the terminal on standard output, at once. */
void screen_show(struct slice picture);

#endif
