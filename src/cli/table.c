/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - rows of cells for people: each column as wide as its widest cell,
 * two blanks between, nothing after the last.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void kr_cli_table_take(kr_cli_table *table, char *cell) {
  if (table->n_cells == table->cap) {
    size_t cap = table->cap == 0 ? 64 : table->cap * 2;
    char **cells =
        cap > SIZE_MAX / sizeof *cells ? NULL : realloc(table->cells, cap * sizeof *cells);
    if (cells == NULL) {
      table->is_short_of_memory = true;
      free(cell);
      return;
    }
    table->cells = cells;
    table->cap = cap;
  }
  table->cells[table->n_cells++] = cell;
}

/** A cell is written by one of the printers of print.c, so that it is safe to show. */
static FILE *kr_cli_cell_open(kr_cli_table *table, char **ret_cell, size_t *ret_len) {
  FILE *out = open_memstream(ret_cell, ret_len);
  if (out == NULL)
    table->is_short_of_memory = true;
  return out;
}

static void kr_cli_cell_close(kr_cli_table *table, FILE *out, char **cell) {
  if (fclose(out) != 0 || *cell == NULL) {
    table->is_short_of_memory = true;
    free(*cell);
    return;
  }
  kr_cli_table_take(table, *cell);
}

void kr_cli_table_add(kr_cli_table *table, kr_str text) {
  char *cell = NULL;
  size_t len = 0;
  FILE *out = kr_cli_cell_open(table, &cell, &len);
  if (out == NULL)
    return;
  kr_cli_put(out, text);
  kr_cli_cell_close(table, out, &cell);
}

void kr_cli_table_add_time(kr_cli_table *table, int64_t time_ms) {
  char *cell = NULL;
  size_t len = 0;
  FILE *out = kr_cli_cell_open(table, &cell, &len);
  if (out == NULL)
    return;
  kr_cli_put_time(out, time_ms);
  kr_cli_cell_close(table, out, &cell);
}

void kr_cli_table_head(kr_cli_table *table, const char *const *titles) {
  for (size_t i = 0; i < table->n_columns; i++)
    kr_cli_table_add(table, kr_cli_str(titles[i]));
}

static size_t kr_cli_width(const char *cell) {
  kr_str text = kr_cli_str(cell);
  size_t width = 0;
  for (size_t offset = 0; offset < text.len; width++)
    (void)kr_cli_next_rune(text, &offset);
  return width;
}

kr_status kr_cli_table_print(FILE *out, const kr_cli_table *table, const char *indent,
                             kr_error *error) {
  if (table->is_short_of_memory)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  size_t widths[KR_CLI_MAX_COLUMNS] = {0};
  for (size_t i = 0; i < table->n_cells; i++) {
    size_t width = kr_cli_width(table->cells[i]);
    size_t column = i % table->n_columns;
    widths[column] = width > widths[column] ? width : widths[column];
  }
  for (size_t i = 0; i < table->n_cells; i++) {
    size_t column = i % table->n_columns;
    size_t n_blanks = widths[column] - kr_cli_width(table->cells[i]) + 2;
    /* Blanks wait until something follows: a line has none at its end. */
    bool is_last = true;
    for (size_t j = i + 1; column + (j - i) < table->n_columns && j < table->n_cells; j++)
      is_last = is_last && table->cells[j][0] == '\0';
    (void)fprintf(out, "%s%s", column == 0 ? indent : "", table->cells[i]);
    if (!is_last)
      (void)fprintf(out, "%*s", (int)n_blanks, "");
    if (column + 1 == table->n_columns)
      (void)fputc('\n', out);
  }
  return KR_OK;
}

void kr_cli_table_done(kr_cli_table *table) {
  for (size_t i = 0; i < table->n_cells; i++)
    free(table->cells[i]);
  free(table->cells);
  *table = (kr_cli_table){0};
}

void kr_cli_list_item(size_t n_before) { (void)fputs(n_before == 0 ? "[\n" : ",\n", stdout); }

kr_status kr_cli_list_end(const kr_cli *cli, kr_status status, size_t n_shown,
                          const kr_cli_table *table, kr_error *error) {
  if (cli->is_json && n_shown > 0)
    (void)fputs("\n]\n", stdout);
  else if (cli->is_json && status == KR_OK)
    (void)fputs("[]\n", stdout);
  if (cli->is_json || status != KR_OK)
    return status;
  return kr_cli_table_print(stdout, table, "", error);
}
