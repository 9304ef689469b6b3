/*
 * encode_rows: values through row/ and into COPY streams, so that a test can show them to the real
 * server.
 *
 *   encode_rows TYPE BINARY-FILE TEXT-FILE < VALUES
 *
 *   encode_rows --type TYPE        prints format_type()'s name, OID, element OID and typmod
 *
 * Each line of VALUES is one value: JSON, or "@time MICROSECONDS" (since 1970), or "@bytes HEX".
 * For each, one line on standard output:
 *
 *   ok<TAB>the datum as JSON        or        reject<TAB>reason        or        json<TAB>reason (the line itself is no JSON)
 *
 * The values that were accepted stand in both files as rows (n integer, v TYPE), n counting all
 * lines from 1. A type without a binary form leaves BINARY-FILE empty.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "core/table_shape.h"
#include "decode/json_scan.h"
#include "row/convert.h"
#include "row/copy_format.h"
#include "row/row_plan.h"

static bool starts_with(struct slice line, const char *word)
{
    struct slice start = slice_of(word);
    return line.length >= start.length && memcmp(line.data, word, start.length) == 0;
}

static struct value value_of_hex(struct slice hex, struct arena *arena)
{
    char *bytes = arena_alloc(arena, hex.length / 2 + 1);
    for (size_t i = 0; i + 1 < hex.length; i += 2) {
        char two[3] = {hex.data[i], hex.data[i + 1], '\0'};
        bytes[i / 2] = (char) strtol(two, NULL, 16);
    }
    return value_bytes(slice_make(bytes, hex.length / 2));
}

static bool read_value(struct slice line, struct arena *arena, struct value *value,
                       struct error *error)
{
    if (starts_with(line, "@time ")) {
        *value = value_time(strtoll(line.data + 6, NULL, 10));
        return true;
    }
    if (starts_with(line, "@bytes ")) {
        *value = value_of_hex(slice_make(line.data + 7, line.length - 7), arena);
        return true;
    }
    const struct node *root;
    if (json_scan(line, arena, &root, error) != OUTCOME_OK) {
        return false;
    }
    *value = node_value(root);
    return true;
}

static void write_file(const char *path, const struct buf *content)
{
    FILE *file = fopen(path, "w");
    bool written = file != NULL &&
                   (content->length == 0 || fwrite(content->data, content->length, 1, file) == 1);
    if (!written || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

struct output {
    const struct column_shape *columns[2]; /* n, v */
    bool binary;
    struct buf binary_rows;
    struct buf text_rows;
};

static void encode_line(struct output *output, int64_t number, struct slice line,
                        struct arena *arena)
{
    struct value value;
    struct error error;
    struct datum datums[2] = {{.family = TYPE_INT4, .integer = number}};
    if (!read_value(line, arena, &value, &error)) {
        printf("json\t%s\n", error.text);
        return;
    }
    if (convert_value(&value, output->columns[1], arena, &datums[1], &error) != OUTCOME_OK) {
        printf("reject\t%s\n", error.text);
        return;
    }
    struct buf json = {0};
    datum_append_json(&json, &datums[1], output->columns[1]);
    printf("ok\t%.*s\n", SLICE_ARGS(buf_slice(&json)));
    buf_fini(&json);
    if (output->binary) {
        copy_append_row(&output->binary_rows, COPY_BINARY, datums, output->columns, 2);
    }
    copy_append_row(&output->text_rows, COPY_TEXT, datums, output->columns, 2);
}

static int show_type(const char *name)
{
    struct column_shape column = {.name = "v"};
    if (!type_parse(slice_of(name), &column)) {
        puts("no type");
        return 1;
    }
    printf("%s\t%u\t%u\t%d\n", column.type_name, column.type_oid, column.element_oid,
           column.typmod);
    free(column.type_name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--type") == 0) {
        return show_type(argv[2]);
    }
    if (argc != 4) {
        fputs("usage: encode_rows TYPE BINARY-FILE TEXT-FILE < VALUES\n", stderr);
        return 2;
    }
    struct column_shape number = {.name = "n", .typmod = -1};
    struct column_shape column = {.name = "v", .typmod = -1};
    if (!type_parse(slice_of("integer"), &number) || !type_parse(slice_of(argv[1]), &column)) {
        fprintf(stderr, "\"%s\" is no type\n", argv[1]);
        return 2;
    }
    struct output output = {.columns = {&number, &column}, .binary = column_has_binary(&column)};
    struct arena *arena = arena_new(1 << 16);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    if (output.binary) {
        copy_append_header(&output.binary_rows, COPY_BINARY);
    }
    for (int64_t count = 1; (length = getline(&line, &room, stdin)) > 0; count++) {
        arena_reset(arena);
        encode_line(&output, count, slice_make(line, (size_t) length - (line[length - 1] == '\n')),
                    arena);
    }
    if (output.binary) {
        copy_append_trailer(&output.binary_rows, COPY_BINARY);
    }
    write_file(argv[2], &output.binary_rows);
    write_file(argv[3], &output.text_rows);

    buf_fini(&output.binary_rows);
    buf_fini(&output.text_rows);
    arena_free(arena);
    free(line);
    free(column.type_name);
    free(number.type_name);
    return 0;
}
