# Holds src/LAYERS: no cycle in it, and no #include under src that it does not allow.
#
#   awk -f layers.awk src/LAYERS $(find src -name '*.[ch]')     checks; exit code 1 and one line a breach
#   awk -v reach=FOLDER -f layers.awk src/LAYERS                 prints FOLDER and all that it reaches
#
# SPDX-License-Identifier: MIT

function breach(text) { print text > "/dev/stderr"; breaches++ }

function list_reached(folder,    i, parts, count) {
    if (folder in reached) return
    reached[folder] = 1
    printf "%s ", folder
    count = split(allowed[folder], parts, " ")
    for (i = 1; i <= count; i++) list_reached(parts[i])
}

# Takes away, again and again, folders that include only folders taken away already.
function check_cycles(    changed, folder, i, parts, count, free, gone) {
    do {
        changed = 0
        for (folder in is_folder) {
            if (folder in gone) continue
            free = 1
            count = split(allowed[folder], parts, " ")
            for (i = 1; i <= count; i++) if (!(parts[i] in gone)) free = 0
            if (free) { gone[folder] = 1; changed = 1 }
        }
    } while (changed)
    for (folder in is_folder) if (!(folder in gone)) breach("src/LAYERS: cycle through " folder)
}

FNR == 1 {
    in_layers = FILENAME ~ /LAYERS$/
    # src/folder/file.c belongs to folder, src/main.c to main.
    count = split(FILENAME, path, "/")
    folder = path[count - 1] == "src" ? "main" : path[count - 1]
    if (!in_layers && !(folder in is_folder)) breach(FILENAME ": " folder " is not in src/LAYERS")
}

in_layers {
    sub(/#.*/, "")
    if (split($0, line, " *: *") < 2) next
    gsub(/ /, "", line[1])
    allowed[line[1]] = line[2]
    if (line[1] ~ /^</) only[substr(line[1], 2, length(line[1]) - 2)] = " " line[2] " "
    else is_folder[line[1]] = 1
    next
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    slashes = split(quoted[2], path, "/")
    if (slashes == 1 && quoted[2] != "sql_text.h")
        breach(FILENAME ":" FNR ": \"" quoted[2] "\" is to be included as \"folder/" quoted[2] "\"")
    if (slashes > 1 && path[1] != folder && index(" " allowed[folder] " ", " " path[1] " ") == 0)
        breach(FILENAME ":" FNR ": " folder " may not include \"" quoted[2] "\"")
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, quoted, /[<>]/)
    header = quoted[2] == "cJSON.h" ? "cjson/cJSON.h" : quoted[2]
    if ((header in only) && index(only[header], " " folder " ") == 0)
        breach(FILENAME ":" FNR ": " folder " may not include <" header ">")
}

END {
    if (reach != "") { list_reached(reach); print ""; exit 0 }
    check_cycles()
    exit breaches > 0
}
