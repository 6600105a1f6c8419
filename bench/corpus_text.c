/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_text.c - the texts (see corpus.h). Every generator writes whole lines
 * into a block with room for one more, and the text is cut at the length wanted.
 */
#include "corpus.h"

#include "bench.h"
#include "corpus_random.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 2048u
#define WORDS 32u

static const char *const kr_words[WORDS] = {
    "order",   "customer", "was",      "created", "from",     "the",    "warehouse", "delivery",
    "payment", "received", "shipping", "address", "changed",  "to",     "invoice",   "sent",
    "retry",   "after",    "timeout",  "with",    "status",   "ticket", "assigned",  "support",
    "product", "stock",    "updated",  "refund",  "approved", "for",    "account",   "webhook"};
static const char *const kr_connectors[] = {"Slack order alerts", "Jira incident sync",
                                            "Stripe refunds", "HubSpot contacts", "Shopify stock"};
static const char *const kr_hosts[] = {"hooks.example.com", "api.example.org", "eu-1.shop.example",
                                       "crm.example.net"};
static const char *const kr_actions[] = {"orders", "issues", "refunds", "contacts", "inventory"};
static const char *const kr_methods[] = {"POST", "GET", "PUT"};
static const char *const kr_levels[] = {"info", "info", "info", "debug", "warn"};

typedef size_t (*kr_corpus_line_writer)(char *line, uint64_t *seed);

static size_t kr_corpus_pick(uint64_t *seed, size_t n) {
  return (size_t)(kr_corpus_random(seed) % n);
}

static size_t kr_corpus_sentence(char *text, uint64_t *seed) {
  size_t n_words = 4 + kr_corpus_pick(seed, 8);
  size_t len = 0;
  for (size_t i = 0; i < n_words; i++)
    len += (size_t)snprintf(text + len, 16, i == 0 ? "%s" : " %s",
                            kr_words[kr_corpus_pick(seed, WORDS)]);
  return len;
}

/* 26 characters of a ULID: a time that grows slowly, then randomness. */
static void kr_corpus_id(char id[27], uint64_t *seed) {
  static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  for (size_t i = 0; i < 26; i++)
    id[i] = i < 7 ? "01JQXZ4"[i] : digits[kr_corpus_pick(seed, 32)];
  id[26] = '\0';
}

static size_t kr_corpus_event(char *line, uint64_t *seed) {
  char id[27];
  char sentence[256];
  kr_corpus_id(id, seed);
  kr_corpus_sentence(sentence, seed);
  size_t kind = kr_corpus_pick(seed, 5);
  unsigned number = (unsigned)kr_corpus_random(seed);
  return (size_t)snprintf(
      line, LINE_MAX_BYTES,
      "{\"at\":\"2026-03-%02uT%02u:%02u:%02u.%03uZ\",\"level\":\"%s\",\"run\":\"%s\",\"step\":%u,"
      "\"connector\":\"%s\",\"request\":{\"method\":\"%s\",\"url\":\"https://%s/v2/%s?id=%u\"},"
      "\"status\":%u,\"took_ms\":%u,\"bytes\":%u,\"text\":\"%s\"}\n",
      1 + number % 28, number % 24, number % 60, number / 60 % 60, number % 1000,
      kr_levels[number % 5], id, number % 9, kr_connectors[kind], kr_methods[number % 3],
      kr_hosts[number % 4], kr_actions[kind], number % 1000000, number % 50 == 0 ? 503u : 200u,
      number % 900, number % 9000, sentence);
}

/* An event as a string in JSON, as a logged response body is. */
static size_t kr_corpus_nested_event(char *line, uint64_t *seed) {
  char inner[LINE_MAX_BYTES];
  size_t inner_len = kr_corpus_event(inner, seed) - 1; /* without the line break */
  size_t len = (size_t)snprintf(line, LINE_MAX_BYTES, "{\"status\":200,\"body\":\"");
  for (size_t i = 0; i < inner_len; i++) {
    if (inner[i] == '"' || inner[i] == '/')
      line[len++] = '\\';
    line[len++] = inner[i];
  }
  return len + (size_t)snprintf(line + len, 8, "\\n\"}\n");
}

static size_t kr_corpus_escape_line(char *line, uint64_t *seed) {
  static const char *const pieces[] = {
      "a\\u0020", "\\\"quoted\\\"",      " \\\\path\\/",   "%20x%2F%3D",
      "\\n",      "caf\\u00e9+ol%C3%A9", "\\u003cb\\u003e"};
  size_t len = (size_t)snprintf(line, LINE_MAX_BYTES, "{\"id\":%u,\"note\":\"",
                                (unsigned)kr_corpus_pick(seed, 100000));
  size_t n_pieces = 6 + kr_corpus_pick(seed, 10);
  for (size_t i = 0; i < n_pieces; i++)
    len += (size_t)snprintf(line + len, 64, "%s", pieces[kr_corpus_pick(seed, 7)]);
  return len + (size_t)snprintf(line + len, 8, "\"}\n");
}

static kr_corpus kr_corpus_new(size_t len) {
  kr_corpus corpus = {.bytes = malloc(len + LINE_MAX_BYTES), .len = len};
  corpus.starts = malloc((len / 16 + 3) * sizeof(size_t)); /* no line is shorter */
  kr_corpus_try(corpus.bytes == NULL || corpus.starts == NULL ? KR_NOMEM : KR_OK);
  corpus.starts[0] = 0;
  return corpus;
}

static kr_corpus kr_corpus_lines(size_t len, kr_corpus_line_writer write_line) {
  kr_corpus corpus = kr_corpus_new(len);
  uint64_t seed = 0x853c49e6748fea9bu;
  size_t at = 0;
  while (at < len) {
    corpus.starts[corpus.n_lines++] = at;
    at += write_line((char *)corpus.bytes + at, &seed);
  }
  corpus.starts[corpus.n_lines] = len;
  return corpus;
}

kr_corpus kr_corpus_log(size_t len) { return kr_corpus_lines(len, kr_corpus_event); }
kr_corpus kr_corpus_log_in_json(size_t len) { return kr_corpus_lines(len, kr_corpus_nested_event); }
kr_corpus kr_corpus_escapes(size_t len) { return kr_corpus_lines(len, kr_corpus_escape_line); }

void kr_corpus_done(kr_corpus *corpus) {
  free(corpus->bytes);
  free(corpus->starts);
  *corpus = (kr_corpus){0};
}

kr_str kr_corpus_text(const kr_corpus *corpus) { return kr_str_from(corpus->bytes, corpus->len); }

kr_str kr_corpus_line(const kr_corpus *corpus, size_t line) {
  return kr_str_slice(kr_corpus_text(corpus), corpus->starts[line], corpus->starts[line + 1]);
}

size_t kr_corpus_plant(kr_corpus *corpus, const kr_needles *needles, size_t every_bytes) {
  size_t n_planted = 0;
  size_t next_at = every_bytes < corpus->len ? every_bytes / 2 : corpus->len / 2;
  size_t free_from = 0;
  for (size_t line = 0; line < corpus->n_lines && needles->n > 0; line++) {
    kr_str needle = needles->list[n_planted % needles->n];
    size_t place = corpus->starts[line] + 1;
    if (place < next_at || place < free_from)
      continue;
    /* Within its line; a needle longer than any line lies over several. */
    bool fits = needle.len < LINE_MAX_BYTES / 8 ? place + needle.len < corpus->starts[line + 1]
                                                : place + needle.len < corpus->len;
    if (!fits)
      continue;
    memcpy(corpus->bytes + place, needle.ptr, needle.len);
    free_from = place + needle.len;
    next_at += every_bytes;
    n_planted++;
  }
  return n_planted;
}

static kr_str kr_corpus_piece(kr_str needle, kr_corpus_cut cut, uint64_t *seed) {
  size_t quarter = needle.len / 4;
  size_t dropped = 1 + kr_corpus_pick(seed, quarter == 0 ? 1 : quarter);
  switch (cut) {
  case KR_CUT_PREFIX:
    return kr_str_slice(needle, 0, needle.len - dropped);
  case KR_CUT_SUFFIX:
    return kr_str_skip(needle, dropped);
  case KR_CUT_MIDDLE: {
    size_t from = kr_corpus_pick(seed, needle.len / 2);
    return kr_str_slice(needle, from, from + 8 + kr_corpus_pick(seed, 1 + needle.len / 2));
  }
  default:
    return needle;
  }
}

kr_corpus kr_corpus_pieces(size_t len, const kr_needles *needles, kr_corpus_cut cut) {
  kr_corpus corpus = kr_corpus_new(len);
  uint64_t seed = 0xda942042e4dd58b5u;
  size_t at = 0;
  while (at < len) {
    kr_str needle = needles->list[kr_corpus_pick(&seed, needles->n)];
    kr_str piece = kr_str_slice(kr_corpus_piece(needle, cut, &seed), 0, len - at);
    memcpy(corpus.bytes + at, piece.ptr, piece.len);
    at += piece.len;
    if (cut != KR_CUT_NONE)
      corpus.bytes[at++] = '!'; /* room for it: kr_corpus_new() */
  }
  corpus.n_lines = 1;
  corpus.starts[1] = len;
  return corpus;
}

kr_corpus kr_corpus_flood(size_t len, uint8_t byte) {
  kr_corpus corpus = kr_corpus_new(len);
  memset(corpus.bytes, byte, len);
  corpus.n_lines = 1;
  corpus.starts[1] = len;
  return corpus;
}
