/*
 * The year is taken to begin in March, so that the leap day is its last; 400 years are one cycle of
 * 146,097 days.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/calendar.h"

#include <assert.h>

enum { CYCLE_YEARS = 400, CYCLE_DAYS = 146097 };
enum { DAYS_0_TO_2000 = 730425 }; /* 0000-03-01 to 2000-01-01 */

static bool is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool calendar_is_valid(struct civil_date date)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.month < 1 || date.month > 12 || date.day < 1) {
        return false;
    }
    return date.day <= lengths[date.month - 1] + (date.month == 2 && is_leap(date.year));
}

int64_t calendar_days(struct civil_date date)
{
    int64_t year = (int64_t) date.year - (date.month <= 2);
    int64_t cycle = (year >= 0 ? year : year - (CYCLE_YEARS - 1)) / CYCLE_YEARS;
    int64_t year_of_cycle = year - cycle * CYCLE_YEARS;
    int64_t month = date.month + (date.month > 2 ? -3 : 9); /* March is 0 */
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_cycle =
        year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    return cycle * CYCLE_DAYS + day_of_cycle - DAYS_0_TO_2000;
}

struct civil_date calendar_date(int64_t days)
{
    days += DAYS_0_TO_2000;
    int64_t cycle = (days >= 0 ? days : days - (CYCLE_DAYS - 1)) / CYCLE_DAYS;
    int64_t day_of_cycle = days - cycle * CYCLE_DAYS;
    int64_t year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
    assert(day_of_cycle >= 0 && day_of_cycle < CYCLE_DAYS);
    assert(year_of_cycle >= 0 && year_of_cycle < CYCLE_YEARS);
    int64_t day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* March is 0 */
    assert(day_of_year >= 0 && day_of_year < 366 && month < 12);
    return (struct civil_date){
        .year = (int32_t) (year_of_cycle + cycle * CYCLE_YEARS + (month >= 10)),
        .month = (int32_t) (month < 10 ? month + 3 : month - 9),
        .day = (int32_t) (day_of_year - (153 * month + 2) / 5 + 1),
    };
}
