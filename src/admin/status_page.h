/*
 * status_page: the page at "/", src/admin/status_page.html, embedded at build by
 * tests/tools/embed-page.sh.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ADMIN_STATUS_PAGE_H
#define MQTT2PG_ADMIN_STATUS_PAGE_H

#include <stddef.h>

extern const unsigned char status_page[];
extern const size_t status_page_size;

/* Of its one script and its one style sheet, as a Content-Security-Policy names them:
 * "sha256-…". */
extern const char status_page_script_hash[];
extern const char status_page_style_hash[];

#endif
