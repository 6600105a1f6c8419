/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder_redact.c - see embedder.h: every text of FOLDER/texts as a record,
 * as JSON and as a stream, with an organization's values and with a list of
 * the caller's.
 */
#include "canary/embedder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 1000u
#define VALUES_BYTES ((size_t)2 << 20)

static kr_redactor *redactor; /* of the texts under way */

static kr_status print_bytes(void *ctx, kr_str bytes) {
  (void)ctx;
  return fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len ? KR_OK : KR_IO;
}

static kr_status print_hit(void *ctx, kr_str name, const char *form, uint64_t count) {
  (void)ctx;
  (void)printf("hit: %.*s %s %llu\n", (int)name.len, (const char *)name.ptr, form,
               (unsigned long long)count);
  return KR_OK;
}

static void as_records(kr_str text) {
  kr_error error = {0};
  kr_redactor_scratch *scratch = NULL;
  kr_redactor_result result = {0};
  embedder_need(kr_redactor_scratch_new(redactor, NULL, &scratch, &error), &error, "scratch");
  embedder_need(kr_redactor_bytes(scratch, text, &result, &error), &error, "bytes");
  embedder_print("record", result.bytes);
  embedder_need(kr_redactor_hits(scratch, print_hit, NULL), &error, "hits");
  kr_status status = kr_redactor_json(scratch, text, &result, &error);
  if (status == KR_OK)
    embedder_print("JSON", result.bytes);
  else
    embedder_print_error("JSON", status, &error);
  kr_redactor_scratch_free(scratch);
}

/** In pieces, so that values lie over their edges. */
static void as_stream(kr_filter *filter, kr_str text) {
  kr_error error = {0};
  for (size_t at = 0; at < text.len; at += PIECE_BYTES) {
    size_t len = text.len - at < PIECE_BYTES ? text.len - at : PIECE_BYTES;
    embedder_need(kr_filter_feed(filter, (kr_str){text.ptr + at, len}, &error), &error, "feed");
    embedder_need(kr_filter_flush(filter, &error), &error, "flush");
  }
  embedder_need(kr_filter_finish(filter, &error), &error, "finish");
  (void)printf("\nstream: %llu %llu %zu %zu\n", (unsigned long long)kr_filter_count(filter),
               (unsigned long long)kr_filter_n_late(filter), kr_filter_n_held(filter),
               kr_filter_n_short(filter));
  embedder_need(kr_filter_hits(filter, print_hit, NULL), &error, "hits");
  kr_filter_free(filter);
}

static void redact_one(embedder *self, const char *name, const char *path) {
  const kr_filter_options options = {.use_marker_names = true};
  kr_error error = {0};
  kr_filter *filter = NULL;
  kr_str text = embedder_read(self, path);
  (void)printf("text: %s\n", name);
  as_records(text);
  embedder_need(kr_filter_new_on(redactor, &options, print_bytes, NULL, &filter, &error), &error,
                "filter");
  as_stream(filter, text);
  embedder_need(kr_filter_new(self->engine, embedder_text("default"), NULL, print_bytes, NULL,
                              &filter, &error),
                &error, "filter of an organization");
  as_stream(filter, text);
  embedder_wipe(self);
}

/** FOLDER/list.json into a set; in a room of its own that is wiped, since texts use the other. */
static kr_redactor_set *set_of_list(embedder *self, const char *path) {
  kr_error error = {0};
  kr_redactor_builder *builder = NULL;
  kr_redactor_set *set = NULL;
  embedder_need(kr_redactor_builder_new(&builder, &error), &error, "builder");
  kr_status status = kr_redactor_builder_add_list(builder, embedder_read(self, path), &error);
  embedder_wipe(self);
  embedder_need(status, &error, "list");
  const kr_redactor_value more = {.name = embedder_text("MORE"),
                                  .value = embedder_text("not a canary at all")};
  embedder_need(kr_redactor_builder_add(builder, &more, &error), &error, "add");
  embedder_need(kr_redactor_builder_build(builder, &set, &error), &error, "build");
  kr_redactor_builder_free(builder);
  (void)printf("set: %zu %zu\n", kr_redactor_set_n_values(set), kr_redactor_set_n_short(set));
  return set;
}

/** A filter over the list alone takes it as text. */
static void filter_of_list(embedder *self, const char *path) {
  kr_error error = {0};
  kr_filter *filter = NULL;
  kr_status status = kr_filter_new_from_values(embedder_read(self, path), NULL, print_bytes, NULL,
                                               &filter, &error);
  if (status == KR_OK)
    status = kr_filter_feed(filter, (kr_str){self->room, self->room_len}, &error);
  embedder_wipe(self);
  embedder_need(status, &error, "filter of a list");
  embedder_need(kr_filter_finish(filter, &error), &error, "finish");
  kr_filter_free(filter);
}

void embedder_redact(embedder *self) {
  char path[EMBEDDER_PATH_BYTES];
  kr_error error = {0};
  kr_redactor_set *now = NULL;
  const kr_redactor_value late = {.name = embedder_text("LATE"),
                                  .value = embedder_text("a value that comes late")};
  embedder_path(self, "list.json", path);
  kr_redactor_set *set = set_of_list(self, path);
  embedder_need(kr_redactor_new(kr_redactor_set_ref(set), &redactor, &error), &error, "redactor");
  kr_redactor_set_free(set); /* the one of set_ref */
  embedder_each(self, "texts", redact_one);
  kr_redactor_free(redactor);
  filter_of_list(self, path);

  embedder_need(kr_redactor_new_from_org(self->engine, embedder_text("default"), &redactor, &error),
                &error, "redactor of an organization");
  embedder_need(kr_redactor_add(redactor, set, &error), &error, "add a set");
  embedder_need(kr_redactor_add_value(redactor, &late, &error), &error, "add a value");
  embedder_need(kr_redactor_leave_out(redactor, embedder_text("line"), &error), &error,
                "leave out");
  embedder_need(kr_redactor_now(redactor, &now, &error), &error, "now");
  kr_redactor_set_free(now);
  kr_redactor *again = kr_redactor_ref(redactor);
  embedder_each(self, "texts", redact_one);
  kr_redactor_free(again);
  kr_redactor_free(redactor);
  kr_redactor_set_free(set);
}
