/* SPDX-License-Identifier: Apache-2.0 */
/*
 * damage_view.c - what a walk over a home found: each damage a line, or an item
 * of a JSON array, which is kept until the walk has ended, so that a document
 * is whole or not there.
 */
#include "cli/cli.h"

#include <string.h>

#define KR_CLI_MAX_DAMAGES 1000u /* told one by one; the rest is counted */

static void kr_cli_damage_place(FILE *out, const kr_home_damage *damage) {
  if (damage->organization[0] != '\0') {
    (void)fputs("organization ", out);
    kr_cli_put(out, kr_cli_str(damage->organization));
    (void)fputs(", ", out);
  } else if (damage->organization_id != 0) {
    (void)fprintf(out, "organization number %u, ", (unsigned)damage->organization_id);
  }
  if (damage->secret[0] != '\0') {
    (void)fputs("secret ", out);
    kr_cli_put(out, kr_cli_str(damage->secret));
    if (damage->environment[0] != '\0') {
      (void)fputc('@', out);
      kr_cli_put(out, kr_cli_str(damage->environment));
    }
    (void)fputs(", ", out);
  }
  if (damage->version != 0)
    (void)fprintf(out, "version %u, ", (unsigned)damage->version);
  if (damage->event != 0)
    (void)fprintf(out, "event %llu, ", (unsigned long long)damage->event);
  if (damage->audit != 0)
    (void)fprintf(out, "audit entry %llu, ", (unsigned long long)damage->audit);
}

static void kr_cli_damage_add(kr_cli_damages *damages, const char *text) {
  /* Short of memory the array is short; counts.damaged still says how many there are. */
  if (kr_text_append(&damages->json, kr_cli_str(text)) != KR_OK)
    damages->n_told = KR_CLI_MAX_DAMAGES;
}

static void kr_cli_damage_add_text(kr_cli_damages *damages, const char *name, const char *text) {
  if (text[0] == '\0')
    return;
  kr_cli_damage_add(damages, ",\"");
  kr_cli_damage_add(damages, name);
  kr_cli_damage_add(damages, "\":");
  if (kr_text_append_json(&damages->json, kr_cli_str(text)) != KR_OK)
    damages->n_told = KR_CLI_MAX_DAMAGES;
}

static void kr_cli_damage_add_number(kr_cli_damages *damages, const char *name, uint64_t number) {
  char text[64];
  if (number == 0)
    return;
  (void)snprintf(text, sizeof text, ",\"%s\":%llu", name, (unsigned long long)number);
  kr_cli_damage_add(damages, text);
}

static void kr_cli_damage_json(kr_cli_damages *damages, const kr_home_damage *damage) {
  kr_cli_damage_add(damages, damages->json.len == 0 ? "{\"area\":\"" : ",{\"area\":\"");
  kr_cli_damage_add(damages, damage->area);
  kr_cli_damage_add(damages, "\"");
  kr_cli_damage_add_text(damages, "what", damage->what);
  kr_cli_damage_add_text(damages, "organization", damage->organization);
  kr_cli_damage_add_number(damages, "organization_id", damage->organization_id);
  kr_cli_damage_add_text(damages, "secret", damage->secret);
  kr_cli_damage_add_text(damages, "environment", damage->environment);
  kr_cli_damage_add_number(damages, "version", damage->version);
  kr_cli_damage_add_number(damages, "event", damage->event);
  kr_cli_damage_add_number(damages, "audit", damage->audit);
  kr_cli_damage_add(damages, "}");
}

void kr_cli_take_damage(void *ctx, const kr_home_damage *damage) {
  kr_cli_damages *damages = ctx;
  if (damages->n_told >= KR_CLI_MAX_DAMAGES)
    return;
  damages->n_told++;
  if (damages->cli->is_json) {
    kr_cli_damage_json(damages, damage);
    return;
  }
  if (damages->progress != NULL)
    kr_cli_steps_end(damages->progress);
  (void)printf("damage: %s: ", damage->area);
  kr_cli_damage_place(stdout, damage);
  kr_cli_put(stdout, kr_cli_str(damage->what));
  (void)fputc('\n', stdout);
  /* The next page may end this process: what was found must be out by then. */
  (void)fflush(stdout);
}

void kr_cli_damages_done(kr_cli_damages *damages) { kr_text_done(&damages->json); }

typedef struct kr_cli_count {
  const char *name;
  const char *json;
  uint64_t number;
} kr_cli_count;

#define KR_CLI_N_COUNTS 10
static void kr_cli_counts_of(const kr_home_counts *counts, kr_cli_count out[KR_CLI_N_COUNTS]) {
  const kr_cli_count rows[KR_CLI_N_COUNTS] = {
      {"organizations", "organizations", counts->organizations},
      {"secrets", "secrets", counts->secrets},
      {"values", "values", counts->values},
      {"data keys", "data_keys", counts->data_keys},
      {"settings", "settings", counts->settings},
      {"audit entries", "audit_entries", counts->audit_entries},
      {"events", "events", counts->events},
      {"intents", "intents", counts->intents},
      {"records read", "records", counts->records},
      {"damaged", "damaged", counts->damaged},
  };
  memcpy(out, rows, sizeof rows);
}

void kr_cli_put_counts(FILE *out, const kr_home_counts *counts) {
  kr_cli_count rows[KR_CLI_N_COUNTS];
  kr_cli_counts_of(counts, rows);
  for (size_t i = 0; i < KR_CLI_N_COUNTS; i++)
    (void)fprintf(out, "%-14s %llu\n", rows[i].name, (unsigned long long)rows[i].number);
}

void kr_cli_put_counts_json(FILE *out, const kr_home_counts *counts) {
  kr_cli_count rows[KR_CLI_N_COUNTS];
  kr_cli_counts_of(counts, rows);
  for (size_t i = 0; i < KR_CLI_N_COUNTS; i++)
    (void)fprintf(out, "%s\"%s\":%llu", i == 0 ? "{" : ",", rows[i].json,
                  (unsigned long long)rows[i].number);
  (void)fputc('}', out);
}

void kr_cli_put_head(FILE *out, const kr_home_head *head) {
  (void)fprintf(out,
                "store          %s\ngeneration     %llu\nlast event     %llu\nchain          %s\n",
                head->store, (unsigned long long)head->generation, (unsigned long long)head->events,
                head->chain);
}

void kr_cli_put_head_json(FILE *out, const kr_home_head *head) {
  (void)fprintf(out, "{\"store\":\"%s\",\"generation\":%llu,\"events\":%llu,\"chain\":\"%s\"}",
                head->store, (unsigned long long)head->generation, (unsigned long long)head->events,
                head->chain);
}
