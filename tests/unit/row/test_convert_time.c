/* SPDX-License-Identifier: MIT */
#include "core/calendar.h"

#include "convert_case.h"

#define HINT(number, noun) \
    number " is a bare number, not a " noun " (write \"| unix_s\" or \"| unix_ms\")"

#define ZONE_HINT(noun) \
    " is not a " noun ": PostgreSQL alone reads the name of a zone, as in compute = { at = " \
    "\"t::timestamptz\"; }"

static const struct convert_case timestamps[] = {
    {"timestamptz", TEXT("2026-11-23T03:29:30.123456Z"), "2026-11-23 03:29:30.123456+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:30+01:30"), "2026-11-23 01:59:30+00", NULL},
    {"timestamptz", TEXT("2026-11-23t03:29z"), "2026-11-23 03:29:00+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:30-0130"), "2026-11-23 04:59:30+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:30 +01"), "2026-11-23 02:29:30+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:30-00:00:15"), "2026-11-23 03:29:45+00", NULL},
    {"timestamptz", TEXT("2026-11-23"), "2026-11-23 00:00:00+00", NULL},
    {"timestamptz", TEXT("2026-12-31 24:00:00"), "2027-01-01 00:00:00+00", NULL},
    {"timestamptz", TEXT("2016-12-31 23:59:60Z"), "2017-01-01 00:00:00+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:30.1234565"), "2026-11-23 03:29:30.123456+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:30.12345650001"), "2026-11-23 03:29:30.123457+00", NULL},
    {"timestamptz", TEXT("2026-11-23 03:29:59.9999999"), "2026-11-23 03:30:00+00", NULL},
    {"timestamptz", TEXT("0044-03-15 BC"), "0044-03-15 00:00:00+00 BC", NULL},
    {"timestamptz", TEXT("0001-12-31 23:59:59 BC"), "0001-12-31 23:59:59+00 BC", NULL},
    {"timestamptz", TEXT("-infinity"), "-infinity", NULL},
    {"timestamptz", TEXT("Infinity"), "infinity", NULL},
    {"timestamptz", TEXT("4714-11-24 00:00:00 BC"), "4714-11-24 00:00:00+00 BC", NULL},
    {"timestamptz", TEXT("4714-11-23 23:59:59 BC"), NULL,
     "\"4714-11-23 23:59:59 BC\" is out of range"},
    {"timestamptz", TEXT("294276-12-31 23:59:59.999999"), "294276-12-31 23:59:59.999999+00", NULL},
    {"timestamptz", TEXT("294277-01-01"), NULL, "\"294277-01-01\" is out of range"},
    {"timestamptz", TEXT("9999999-01-01"), NULL, "\"9999999-01-01\" is out of range"},
    {"timestamptz", TEXT("2026-02-29"), NULL, "\"2026-02-29\" is not a timestamp"},
    {"timestamptz", TEXT("0000-01-01"), NULL, "\"0000-01-01\" is not a timestamp"},
    {"timestamptz", TEXT("2026-11-23 24:00:01"), NULL,
     "\"2026-11-23 24:00:01\" is not a timestamp"},
    {"timestamptz", TEXT("2026-11-23T"), NULL, "\"2026-11-23T\" is not a timestamp"},
    {"timestamptz", TEXT("2026-11-23 03:29:30+16"), NULL,
     "\"2026-11-23 03:29:30+16\" is not a timestamp"},
    {"timestamptz", TEXT("2024-11-29 03:15 Europe/Berlin"), NULL,
     "\"2024-11-29 03:15 Europe/Berlin\"" ZONE_HINT("timestamp")},
    {"timestamp", TEXT("2024-11-29 03:15 CET "), NULL,
     "\"2024-11-29 03:15 CET \"" ZONE_HINT("timestamp")},
    {"timestamptz", TEXT("2024-11-29 03:15+01 CET"), NULL,
     "\"2024-11-29 03:15+01 CET\" is not a timestamp"},
    {"timestamptz", TEXT("2024-11-29 noon"), NULL, "\"2024-11-29 noon\" is not a timestamp"},
    {"date", TEXT("3/4/2025"), NULL,
     "\"3/4/2025\" is not a date: day or month first? write \"| time '%d/%m/%Y'\""},
    {"timestamptz", TEXT("03/04/25 10:00"), NULL,
     "\"03/04/25 10:00\" is not a timestamp: day or month first? write \"| time '%d/%m/%Y'\""},
    {"timestamptz", TEXT("2025/13/04"), NULL, "\"2025/13/04\" is not a timestamp"},
    {"timestamptz", TEXT("now"), NULL, "\"now\" is not a timestamp"},
    {"timestamptz", TEXT(""), NULL, "\"\" is not a timestamp"},
    {"timestamptz", NUMBER("1732332570"), NULL, HINT("1732332570", "timestamp")},
    {"timestamptz", BOOLEAN(true), NULL, "true can't become timestamp with time zone"},
    {"timestamptz", TIME(0), "1970-01-01 00:00:00+00", NULL},
    {"timestamptz", TIME(-1), "1969-12-31 23:59:59.999999+00", NULL},
    {"timestamptz", TIME(INT64_MAX), "294247-01-10 04:00:54.775807+00", NULL},
    {"timestamptz", TIME(INT64_MIN), NULL, "a timestamp is out of range"},
    {"timestamptz", TIME(INT64_C(-210866803200000000)), "4714-11-24 00:00:00+00 BC", NULL},
    {"timestamptz", TIME(INT64_C(-210866803200000001)), NULL, "a timestamp is out of range"},
    {"timestamptz(3)", TEXT("2026-11-23 03:29:30.1235"), "2026-11-23 03:29:30.124+00", NULL},
    {"timestamptz(0)", TEXT("1999-12-31 23:59:58.5"), "1999-12-31 23:59:58+00", NULL},
    {"timestamptz(0)", TEXT("294276-12-31 23:59:59.6"), NULL,
     "\"294276-12-31 23:59:59.6\" is out of range"},
    {"timestamp", TEXT("2026-11-23T03:29:30+01:00"), "2026-11-23 02:29:30", NULL},
    {"timestamp", TIME(1), "1970-01-01 00:00:00.000001", NULL},
    {"timestamp", NUMBER("5"), NULL, HINT("5", "timestamp")},
    {"date", TEXT("5874897-12-31"), "5874897-12-31", NULL},
    {"date", TEXT("5874898-01-01"), NULL, "\"5874898-01-01\" is out of range"},
    {"date", TEXT("4714-11-24 BC"), "4714-11-24 BC", NULL},
    {"date", TEXT("4714-11-23 BC"), NULL, "\"4714-11-23 BC\" is out of range"},
    {"date", TEXT("infinity"), "infinity", NULL},
    {"date", TEXT("2026-11-23T23:30:00-01:00"), "2026-11-24", NULL},
    {"date", TEXT("1999-12-31 23:59:59"), "1999-12-31", NULL},
    {"date", TIME(-1), "1969-12-31", NULL},
    {"date", NUMBER("20261123"), NULL, HINT("20261123", "date")},
    {"date", TEXT("yesterday"), NULL, "\"yesterday\" is not a date"},
    {"time", TEXT("03:29:30.5"), "03:29:30.5", NULL},
    {"time", TEXT("24:00"), "24:00:00", NULL},
    {"time", TEXT("03:29Z"), "03:29:00", NULL},
    {"time(1)", TEXT("23:59:59.95"), "24:00:00", NULL},
    {"time", TEXT("03:29+01"), NULL, "\"03:29+01\" is not a time of day"},
    {"time", TEXT("24:00:01"), NULL, "\"24:00:01\" is not a time of day"},
    {"time", NUMBER("5"), NULL, "5 can't become time without time zone"},
    {"time", TIME(5), NULL, "a timestamp can't become time without time zone"},
};

static const struct convert_case intervals[] = {
    {"interval", TEXT("P1Y2M3DT4H5M6.7S"), "1 year 2 mons 3 days 04:05:06.7", NULL},
    {"interval", TEXT("P2W"), "14 days", NULL},
    {"interval", TEXT("P-1DT2H"), "-1 days +02:00:00", NULL},
    {"interval", TEXT("PT1.5H"), "01:30:00", NULL},
    {"interval", TEXT("PT-0.5S"), "-00:00:00.5", NULL},
    {"interval", TEXT("-1 year +2 mons -3 days +04:05:06"), "-10 mons -3 days +04:05:06", NULL},
    {"interval", TEXT("02:00"), "02:00:00", NULL},
    {"interval", TEXT("90 min 30 sec"), "01:30:30", NULL},
    {"interval", TEXT("PT0S"), "00:00:00", NULL},
    {"interval", TEXT("2147483647 mons"), "178956970 years 7 mons", NULL},
    {"interval", TEXT("2147483648 mons"), NULL, "\"2147483648 mons\" is not an interval"},
    {"interval", TEXT("PT9223372036854.775807S"), "2562047788:00:54.775807", NULL},
    {"interval", TEXT("PT-9223372036854.775808S"), "-2562047788:00:54.775808", NULL},
    {"interval", TEXT("PT9223372036854.775808S"), NULL,
     "\"PT9223372036854.775808S\" is not an interval"},
    {"interval", TEXT("PT0.333333333H"), NULL, "\"PT0.333333333H\" is not an interval"},
    {"interval", TEXT("P1.5D"), "1 day 12:00:00", NULL},
    {"interval", TEXT("P1.5M"), NULL, "\"P1.5M\" is not an interval"},
    {"interval", TEXT("P"), NULL, "\"P\" is not an interval"},
    {"interval", TEXT("P1DT"), NULL, "\"P1DT\" is not an interval"},
    {"interval", TEXT("P1M1Y"), NULL, "\"P1M1Y\" is not an interval"},
    {"interval", TEXT("P1\0"), NULL, "\"P1\\x00\" is not an interval"},
    {"interval", TEXT("1 day 1 day"), NULL, "\"1 day 1 day\" is not an interval"},
    {"interval", TEXT("1 hour 02:00:00"), NULL, "\"1 hour 02:00:00\" is not an interval"},
    {"interval", TEXT("1"), NULL, "\"1\" is not an interval"},
    {"interval", TEXT(""), NULL, "\"\" is not an interval"},
    {"interval(1)", TEXT("00:00:01.25"), "00:00:01.3", NULL},
    {"interval", NUMBER("5"), NULL,
     "5 is a bare number, not an interval (write text such as \"PT30S\")"},
    {"interval", BOOLEAN(true), NULL, "true can't become interval"},
};

static void test_timestamps(void)
{
    CHECK_CASES(timestamps);
}

static void test_intervals(void)
{
    CHECK_CASES(intervals);
}

/* Every day that PostgreSQL knows, there and back; a valid date follows each. */
static void test_calendar(void)
{
    struct civil_date last = {0};
    int64_t wrong = 0;
    for (int64_t day = DATE_MIN; day < 3000000; day++) {
        struct civil_date date = calendar_date(day);
        wrong += calendar_days(date) != day || !calendar_is_valid(date);
        bool next = day == DATE_MIN || (date.day == last.day + 1 && date.month == last.month) ||
                    (date.day == 1 && (date.month == last.month + 1 ||
                                       (date.month == 1 && date.year == last.year + 1)));
        wrong += !next;
        last = date;
    }
    CHECK_INT_EQ(wrong, 0);
    CHECK_INT_EQ(calendar_days((struct civil_date){2000, 1, 1}), 0);
    CHECK_INT_EQ(calendar_days((struct civil_date){1970, 1, 1}), -10957);
    CHECK_INT_EQ(calendar_days((struct civil_date){-4713, 11, 24}), DATE_MIN);
    CHECK_INT_EQ(calendar_days((struct civil_date){5874897, 12, 31}), DATE_MAX);
    CHECK_INT_EQ(calendar_days((struct civil_date){294277, 1, 1}) * DAY_US, TIMESTAMP_END);
}

static void test_parse_timestamp(void)
{
    int64_t us;
    CHECK(convert_parse_timestamp(slice_of("2000-01-01T00:00:00.000001Z"), &us));
    CHECK_INT_EQ(us, 1);
    CHECK(convert_parse_timestamp(slice_of("infinity"), &us));
    CHECK_INT_EQ(us, INT64_MAX);
    CHECK(!convert_parse_timestamp(slice_of("294277-01-01"), &us));
    CHECK(!convert_parse_timestamp(slice_of("x"), &us));
}

UNIT_MAIN("convert_time", {"timestamps", test_timestamps}, {"intervals", test_intervals},
          {"calendar", test_calendar}, {"parse timestamp", test_parse_timestamp})
