/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_redact.c - throughput of redaction, all forms of all values on, against
 * memcpy of the same bytes (the ceiling) and a naive loop: memmem() for the raw
 * form of each value alone. The text is a JSON-lines event log without hits;
 * "hits-20" plants one secret in every 10 KB, "escapes-20" is dense with
 * backslashes and percent signs.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "redact/redact.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (1024u * 1024u)
#define SECRETS_MAX 100u
#define SECRET_BYTES 32u
#define HIT_EVERY_BYTES (10u * 1024u)

typedef struct kr_bench_job {
  kr_redact_set *set;
  uint8_t secrets[SECRETS_MAX][SECRET_BYTES];
  size_t n_secrets;
  kr_str text;
  kr_buf out;
  uint8_t *copy;
} kr_bench_job;

static uint64_t kr_bench_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void kr_bench_make_secrets(kr_bench_job *work, size_t count, uint64_t seed) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  work->n_secrets = count;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < SECRET_BYTES; k++)
      work->secrets[i][k] = (uint8_t)alphabet[kr_bench_random(&seed) % 64];
}

static void kr_bench_build_set(kr_bench_job *work) {
  kr_error error = {0};
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  if (kr_redact_builder_new(&builder, &error) != KR_OK)
    kr_bench_die("redact builder", error.message);
  for (size_t i = 0; i < work->n_secrets; i++) {
    char name[32];
    snprintf(name, sizeof name, "SECRET_%zu", i);
    if (kr_redact_builder_add(builder, kr_str_cstr(name), 1,
                              kr_str_from(work->secrets[i], SECRET_BYTES), &error) != KR_OK)
      kr_bench_die("redact builder", error.message);
  }
  kr_redact_set_free(work->set);
  work->set = NULL;
  if (kr_redact_builder_build(builder, &work->set, &error) != KR_OK)
    kr_bench_die("redact set", error.message);
}

/** JSON lines; with dense escapes when asked. No secret occurs in it. */
static uint8_t *kr_bench_text(bool is_dense) {
  uint8_t *text = malloc(TEXT_BYTES + 512);
  if (text == NULL)
    kr_bench_die("text", "out of memory");
  uint64_t seed = 0x9e3779b97f4a7c15u;
  size_t len = 0;
  while (len < TEXT_BYTES) {
    unsigned number = (unsigned)(kr_bench_random(&seed) % 100000);
    int added = snprintf(
        (char *)text + len, 512,
        is_dense ? "{\"id\":%u,\"note\":\"a\\u0020\\\"quoted\\\" \\\\path\\/%%20x%%2F%%3D\"}\n"
                 : "{\"id\":%u,\"status\":\"completed\",\"connector\":\"Slack order alerts\","
                   "\"request\":{\"method\":\"POST\",\"url\":\"https://hooks.example.com/"
                   "orders\"},\"text\":\"New order from Jane Doe\"}\n",
        number);
    len += (size_t)added;
  }
  return text;
}

static void kr_bench_krosyn(void *ctx) {
  kr_bench_job *work = ctx;
  kr_buf_reset(&work->out);
  if (kr_redact_bytes(work->set, work->text, NULL, &work->out, NULL) != KR_OK)
    kr_bench_die("redact", "the redactor failed");
  kr_bench_keep(work->out.ptr);
}

static void kr_bench_memcpy(void *ctx) {
  kr_bench_job *work = ctx;
  memcpy(work->copy, work->text.ptr, work->text.len);
  kr_bench_keep(work->copy);
}

static void kr_bench_naive(void *ctx) {
  kr_bench_job *work = ctx;
  for (size_t i = 0; i < work->n_secrets; i++) {
    const uint8_t *place = work->text.ptr;
    const uint8_t *end = place + work->text.len;
    while ((place = memmem(place, (size_t)(end - place), work->secrets[i], SECRET_BYTES)) != NULL)
      place += SECRET_BYTES;
    kr_bench_keep(place);
  }
  memcpy(work->copy, work->text.ptr, work->text.len);
}

static void kr_bench_build(void *ctx) { kr_bench_build_set(ctx); }

static void kr_bench_redact_case(const kr_bench *bench, kr_bench_job *work, const char *name,
                                 size_t count) {
  kr_bench_make_secrets(work, count, 88172645463325252u);
  kr_bench_build_set(work);
  const kr_bench_engine engines[] = {{"krosyn", kr_bench_krosyn, work},
                                     {"memcpy", kr_bench_memcpy, work},
                                     {"naive-memmem", kr_bench_naive, work}};
  kr_bench_case(bench, name, KR_BENCH_GB_PER_S, work->text.len, engines, 3);
}

int main(int argc, char **argv) {
  static kr_bench_job work;
  kr_bench bench;
  kr_bench_init(&bench, "redact", argc, argv);
  uint8_t *clean = kr_bench_text(false);
  uint8_t *dense = kr_bench_text(true);
  work.out = KR_BUF_INIT(2u * TEXT_BYTES, NULL);
  work.copy = malloc(TEXT_BYTES);
  if (work.copy == NULL || kr_buf_reserve(&work.out, TEXT_BYTES + 4096) != KR_OK)
    kr_bench_die("redact", "out of memory");

  work.text = kr_str_from(clean, TEXT_BYTES);
  kr_bench_redact_case(&bench, &work, "secrets-1", 1);
  kr_bench_redact_case(&bench, &work, "secrets-10", 10);
  kr_bench_redact_case(&bench, &work, "secrets-20", 20);
  kr_bench_redact_case(&bench, &work, "secrets-100", 100);
  work.text = kr_str_from(dense, TEXT_BYTES);
  kr_bench_redact_case(&bench, &work, "escapes-20", 20);

  kr_bench_make_secrets(&work, 20, 88172645463325252u); /* the very secrets of the case */
  for (size_t at = 100; at + SECRET_BYTES < TEXT_BYTES; at += HIT_EVERY_BYTES)
    memcpy(clean + at, work.secrets[at / HIT_EVERY_BYTES % 20], SECRET_BYTES);
  work.text = kr_str_from(clean, TEXT_BYTES);
  kr_bench_redact_case(&bench, &work, "hits-20", 20);

  kr_bench_make_secrets(&work, 10, 88172645463325252u);
  const kr_bench_engine ready[] = {{"krosyn", kr_bench_build, &work}};
  kr_bench_case(&bench, "ready-10", KR_BENCH_NS, 0, ready, 1);

  kr_redact_set_free(work.set);
  kr_buf_done(&work.out);
  free(work.copy);
  free(clean);
  free(dense);
  return 0;
}
