/*
 * calendar: days and civil dates of the proleptic Gregorian calendar, as PostgreSQL counts them.
 * Pure.
 *
 * Years are astronomical: 0 is 1 BC, -1 is 2 BC.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_CALENDAR_H
#define MQTT2PG_CORE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define DAY_US INT64_C(86400000000)
#define SECOND_US INT64_C(1000000)

/* PostgreSQL's limits (datatype/timestamp.h): dates from 4714-11-24 BC to 5874897-12-31, timestamps
 * up to and without 294277-01-01. The extremes of the integer stand for -infinity and infinity. */
#define DATE_MIN INT64_C(-2451545)
#define DATE_MAX INT64_C(2145031948)
#define TIMESTAMP_MIN (DATE_MIN * DAY_US)
#define TIMESTAMP_END INT64_C(9223371331200000000)

/* Microseconds from 1970-01-01 to 2000-01-01. */
#define EPOCH_2000_US (INT64_C(946684800) * SECOND_US)

struct civil_date {
    int32_t year;
    int32_t month; /* from 1 */
    int32_t day;   /* from 1 */
};

/* Does the month have this day? Any year. */
bool calendar_is_valid(struct civil_date date);

/* Days since 2000-01-01. */
int64_t calendar_days(struct civil_date date);
struct civil_date calendar_date(int64_t days);

#endif
