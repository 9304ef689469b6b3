/* Every byte, against <ctype.h> in the C locale. SPDX-License-Identifier: MIT */
#include <ctype.h>

#include "base/ascii.h"
#include "unit.h"

static void test_each_byte(void)
{
    for (int byte = 0; byte < 256; byte++) {
        char c = (char) byte;
        const char *hex = "0123456789abcdef";
        const char *at = byte == 0 ? NULL : strchr(hex, tolower(byte));
        UNIT_CASE("byte %d", byte);
        CHECK_INT_EQ(ascii_is_digit(c), isdigit(byte) != 0);
        CHECK_INT_EQ(ascii_is_lower(c), islower(byte) != 0);
        CHECK_INT_EQ(ascii_is_upper(c), isupper(byte) != 0);
        CHECK_INT_EQ(ascii_is_letter(c), isalpha(byte) != 0);
        CHECK_INT_EQ(ascii_is_space(c), isspace(byte) != 0);
        CHECK_INT_EQ((unsigned char) ascii_to_lower(c), tolower(byte));
        CHECK_INT_EQ(ascii_hex_digit(c), at == NULL ? -1 : at - hex);
    }
}

static void test_trim(void)
{
    static const struct {
        const char *text;
        const char *trimmed;
    } cases[] = {
        {"", ""},   {" ", ""},         {"\t\n\v\f\r ", ""},
        {"a", "a"}, {" a b\n", "a b"}, {"\xc2\xa0", "\xc2\xa0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_SLICE_EQ(ascii_trim(slice_of(cases[i].text)), cases[i].trimmed);
    }
}

UNIT_MAIN("ascii", {"each byte", test_each_byte}, {"trim", test_trim})
