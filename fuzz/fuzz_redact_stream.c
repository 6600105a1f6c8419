/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redact_stream.c - a stream gives what one shot gives, whatever the pieces
 * are, at each level of the processor; its counts too. Where values become known
 * under way, each byte goes by the values that were known when it was written:
 *
 *   removed(byte) = covered, in one shot over the whole text, by the values known at its stage
 *
 * and each run of removed bytes is one marker. Where there are more readings
 * than are followed, nothing may be shown that must go.
 *
 * Input: redact_case.h; choice[0]: bits 0-1 the level, bit 2 names in markers
 * (without updates), bit 3 bytes written are kept, needed or not, bit 4 values
 * of 1 to 3 bytes; choice[1]: bits 0-2 values known at first, less one; bits
 * 3-7: most bytes of a piece, 0: no limit.
 */
#include "redact_case.h"

typedef struct kr_fuzz_stage {
  size_t from; /* bytes from here on go by the first n_values */
  size_t n_values;
} kr_fuzz_stage;

typedef struct kr_fuzz_flow {
  const kr_fuzz_case *c;
  kr_redact_options options;
  size_t piece;
  bool is_kept;
  kr_str text;
  kr_redact_set *sets[KR_FUZZ_VALUES + 1]; /* of the first n values */
  kr_fuzz_shot shots[KR_FUZZ_VALUES + 1];
  kr_fuzz_stage stages[KR_FUZZ_VALUES + 1];
  size_t n_stages;
  kr_redact_stream *stream;
  kr_buf out;
  size_t fed;
  bool gave_up;
} kr_fuzz_flow;

static kr_status kr_fuzz_write(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static void kr_fuzz_feed(kr_fuzz_flow *flow, size_t to) {
  while (flow->fed < to) {
    size_t end = flow->piece == 0 || to - flow->fed < flow->piece ? to : flow->fed + flow->piece;
    kr_str piece = kr_fuzz_exact(kr_str_slice(flow->text, flow->fed, end));
    KR_FUZZ_MUST(kr_redact_stream_feed(flow->stream, piece) == KR_OK);
    kr_fuzz_exact_free(piece);
    flow->fed = end;
    KR_FUZZ_MUST(kr_redact_stream_held(flow->stream) <= flow->fed);
  }
}

/* The next value becomes known. */
static void kr_fuzz_update(kr_fuzz_flow *flow) {
  const kr_fuzz_stage *last = &flow->stages[flow->n_stages - 1];
  kr_fuzz_stage stage = {.from = flow->fed - kr_redact_stream_held(flow->stream),
                         .n_values = last->n_values + 1};
  if (last->n_values == flow->c->n_values)
    return;
  KR_FUZZ_MUST(stage.from >= last->from); /* what is out is out */
  KR_FUZZ_MUST(kr_redact_stream_update(flow->stream, flow->sets[stage.n_values]) == KR_OK);
  KR_FUZZ_MUST(flow->fed - kr_redact_stream_held(flow->stream) == stage.from);
  flow->stages[flow->n_stages++] = stage;
}

/* Nothing new: nothing is written, and nothing forgotten. */
static void kr_fuzz_flush(kr_fuzz_flow *flow) {
  size_t n_written = flow->out.len;
  const kr_fuzz_stage *last = &flow->stages[flow->n_stages - 1];
  KR_FUZZ_MUST(kr_redact_stream_feed(flow->stream, (kr_str){0}) == KR_OK);
  KR_FUZZ_MUST(kr_redact_stream_update(flow->stream, flow->sets[last->n_values]) == KR_OK);
  KR_FUZZ_MUST(flow->out.len == n_written);
}

static void kr_fuzz_stream(kr_fuzz_flow *flow) {
  const kr_fuzz_case *c = flow->c;
  kr_redact_set *first = flow->sets[flow->stages[0].n_values];
  (void)kr_fuzz_gave_up();
  KR_FUZZ_MUST(kr_redact_stream_new(first, &flow->options, kr_fuzz_write, &flow->out, &flow->stream,
                                    NULL) == KR_OK);
  if (flow->is_kept)
    kr_redact_stream_keep(flow->stream);
  for (size_t i = 0; i < c->n_stops; i++) {
    kr_fuzz_feed(flow, c->stops[i].at);
    if (c->stops[i].kind == KR_FUZZ_UPDATE && flow->is_kept)
      kr_fuzz_update(flow);
    if (c->stops[i].kind == KR_FUZZ_FLUSH)
      kr_fuzz_flush(flow);
  }
  kr_fuzz_feed(flow, flow->text.len);
  KR_FUZZ_MUST(kr_redact_stream_finish(flow->stream) == KR_OK);
  KR_FUZZ_MUST(kr_redact_stream_held(flow->stream) == 0);
  flow->gave_up = kr_fuzz_gave_up();
}

static size_t kr_fuzz_known_at(const kr_fuzz_flow *flow, size_t at) {
  size_t stage = flow->n_stages - 1;
  while (flow->stages[stage].from > at)
    stage--;
  return flow->stages[stage].n_values;
}

/* One marker for each run of removed bytes. */
static void kr_fuzz_check_bytes(const kr_fuzz_flow *flow) {
  KR_CLEANUP(kr_buf_done) kr_buf expected = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  uint64_t n_runs = 0;
  bool was_shown = true;
  for (size_t i = 0; i < flow->text.len; i++) {
    bool is_shown = flow->shots[kr_fuzz_known_at(flow, i)].is_shown[i];
    if (is_shown)
      KR_FUZZ_MUST(kr_buf_byte(&expected, flow->text.ptr[i]) == KR_OK);
    else if (was_shown)
      KR_FUZZ_MUST(kr_buf_append(&expected, KR_STR(KR_REDACT_MARKER)) == KR_OK);
    n_runs += !is_shown && was_shown;
    was_shown = is_shown;
  }
  KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&flow->out), kr_buf_str(&expected)));
  KR_FUZZ_MUST(kr_redact_stream_report(flow->stream)->n_runs == n_runs);
}

static void kr_fuzz_check_safe(const kr_fuzz_flow *flow) {
  static bool is_covered[KR_FUZZ_VALUES + 1][KR_FUZZ_TEXT_BYTES];
  bool is_hidden[KR_FUZZ_NAIVE_TEXT_BYTES];
  bool is_exact = false;
  for (size_t i = 0; i < flow->n_stages; i++) {
    size_t n = flow->stages[i].n_values;
    if (!kr_fuzz_reference(flow->c, flow->sets[n], n, flow->text, is_covered[n], &is_exact))
      return;
  }
  for (size_t i = 0; i < flow->text.len; i++)
    is_hidden[i] = is_covered[kr_fuzz_known_at(flow, i)][i];
  if (!flow->options.use_marker_names)
    KR_FUZZ_MUST(kr_fuzz_is_safe(kr_buf_str(&flow->out), flow->text, is_hidden));
}

static void kr_fuzz_check(const kr_fuzz_flow *flow) {
  bool gave_up = flow->gave_up;
  for (size_t i = 0; i < flow->n_stages; i++)
    gave_up = gave_up || flow->shots[flow->stages[i].n_values].gave_up;
  const kr_fuzz_shot *shot = &flow->shots[flow->stages[0].n_values];
  if (gave_up) {
    kr_fuzz_check_safe(flow);
  } else if (flow->n_stages == 1) {
    KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&flow->out), kr_buf_str(&shot->out)));
    KR_FUZZ_MUST(kr_fuzz_same_report(kr_redact_stream_report(flow->stream), &shot->report));
  } else {
    kr_fuzz_check_bytes(flow);
  }
}

/* Sets and shots for all stages there may be. */
static void kr_fuzz_prepare(kr_fuzz_flow *flow, const kr_fuzz_case *c) {
  bool has_updates = false;
  for (size_t i = 0; i < c->n_stops; i++)
    has_updates = has_updates || c->stops[i].kind == KR_FUZZ_UPDATE;
  size_t n_first = (c->choice[1] & 7u) % c->n_values + 1;
  flow->c = c;
  flow->piece = c->choice[1] >> 3;
  flow->options.use_marker_names = (c->choice[0] & 4) != 0 && !has_updates;
  flow->is_kept = has_updates || (c->choice[0] & 8) != 0;
  flow->text = kr_buf_str(&c->text);
  flow->out = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  flow->fed = 0;
  flow->stages[0] = (kr_fuzz_stage){.n_values = n_first};
  flow->n_stages = 1;
  for (size_t n = n_first; n <= (has_updates ? c->n_values : n_first); n++) {
    flow->sets[n] = kr_fuzz_set(c, n, (c->choice[0] & 16) != 0 ? 1 : 0);
    kr_fuzz_shoot(flow->sets[n], flow->text, c, false, &flow->options, &flow->shots[n]);
  }
}

static void kr_fuzz_flow_done(kr_fuzz_flow *flow) {
  kr_redact_stream_free(flow->stream);
  for (size_t n = 0; n <= KR_FUZZ_VALUES; n++) {
    if (flow->sets[n] != NULL)
      kr_fuzz_shot_done(&flow->shots[n]);
    kr_redact_set_free(flow->sets[n]);
    flow->sets[n] = NULL;
  }
  kr_buf_done(&flow->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static kr_fuzz_flow flow;
  kr_fuzz_case c;
  kr_fuzz_case_read(data, size, &c);
  kr_fuzz_use_level((kr_cpu_level)(KR_CPU_SCALAR + (c.choice[0] & 3)));
  kr_fuzz_prepare(&flow, &c);
  kr_fuzz_stream(&flow);
  kr_fuzz_check(&flow);
  kr_fuzz_flow_done(&flow);
  kr_fuzz_case_done(&c);
  return 0;
}
