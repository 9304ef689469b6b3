# Functions of at most 60 lines (from the brace to the brace), files of at most 500; the format
# puts both braces of a function, and no others, into the first column.
#
# SPDX-License-Identifier: MIT

function breach(text) { print text; breaches++ }
function finish_file() { if (lines > 500) breach(file ": " lines " lines") }

FNR == 1 { finish_file(); file = FILENAME; begin = 0 }
{ lines = FNR }
/^\{/ { begin = FNR }
/^\}/ {
    if (begin && FNR - begin - 1 > 60) breach(FILENAME ":" begin ": function of " FNR - begin - 1 " lines")
    begin = 0
}
END { finish_file(); exit breaches > 0 }
