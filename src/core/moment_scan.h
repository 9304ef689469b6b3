/*
 * moment_scan: the parts of a date and a time as a text writes them. Pure.
 *
 * Each function reads one part at `at` and moves `at` behind the part.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_MOMENT_SCAN_H
#define MQTT2PG_CORE_MOMENT_SCAN_H

#include "core/moment.h"

struct moment_scan {
    const char *at;
    const char *end;
};

/* Whether the next character is `wanted`; then passes over it. */
bool moment_take(struct moment_scan *scan, char wanted);

/* Between `least` and `most` digits, and none behind them. */
bool moment_digits(struct moment_scan *scan, int least, int most, int32_t *number);

/* hh:mm[:ss[.fraction]], not beyond 24:00:00; each with at least `digits_min` digits. */
bool moment_time(struct moment_scan *scan, int digits_min, int64_t *time_us);

/* "Z", +hh, +hhmm, +hh:mm, +hh:mm:ss; zeros in front may be missing. True also when there is no
 * zone. */
bool moment_zone(struct moment_scan *scan, struct moment *moment);

/* The microseconds of a fraction's digits, any number of them, rounded as PostgreSQL rounds them
 * (ParseFractionalSecond): via double, half to even. At most 1,000,000. */
int64_t moment_fraction(struct slice digits);

#endif
