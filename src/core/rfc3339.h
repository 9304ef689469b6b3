/*
 * rfc3339: a text such as "2026-11-23T03:29:30.123456+01:00" as a time. Pure.
 *
 * For times that programs write: CBOR's tag 0 and our own status document. Times in the other forms
 * that PostgreSQL reads are core/moment's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_RFC3339_H
#define MQTT2PG_CORE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* RFC 3339, section 5.6, also with a space for the "T": microseconds since 1970. Digits behind
 * the microsecond are cut; a leap second is the second after it. */
bool rfc3339_parse(struct slice text, int64_t *time_us);

#endif
