/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_render.c - properties of rendering: decode(render(x)) == x for every
 * context and hostile string that is not refused, with decoders written for
 * this test; no allocation when warm; every allocation failing in turn; one
 * program in many threads.
 */
#include "base/encode.h"
#include "support/failalloc.h"
#include "vm/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

/* JSON documents of hostile strings. */
static const char *const kr_hostile[] = {
    "\"\"",
    "\"plain\"",
    "\"a/b?c#d&e=f+g%h\"",
    "\"../../etc/passwd\"",
    "\"..\"",
    "\"%2e%2E\"",
    "\"a\\r\\nX-Evil: 1\"",
    "\"\\u0000\\u0001\\u001f\\u007f\"",
    "\"\\\"quoted\\\\ \\\"\"",
    "\"<script>alert('x')</script>&amp;\"",
    "\"]]>--><!--\"",
    "\"\\u0085\\u2028\\u2029\\ufeff\"",
    "\"\\ud83d\\ude00 \\u00fc\\u4e2d\"",
    "\"${uppercase('x')} $secret.A $$ $payload.x\"",
    "\"[REDACTED]\"",
    "\"@evil.example:80/\\\\\\\\x\"",
    "\" outer blanks \"",
    "\"\\t tab \\n\"",
    "\"%\"",
    "\"%zz%4\"",
    "\"+ +\"",
};

#define KR_HOSTILE_COUNT (sizeof(kr_hostile) / sizeof(kr_hostile[0]))

typedef struct kr_stage {
  kr_arena arena;
  kr_secret_names names;
  kr_vm *vm;
  kr_rendered rendered;
  kr_error error;
} kr_stage;

static int kr_setup(void **state) {
  static kr_stage stage;
  stage = (kr_stage){.arena = KR_ARENA_INIT(1u << 24, NULL)};
  assert_int_equal(kr_vm_new(&stage.vm, NULL), KR_OK);
  kr_rendered_init(&stage.rendered);
  *state = &stage;
  return 0;
}

static int kr_teardown(void **state) {
  kr_stage *stage = *state;
  kr_vm_free(stage->vm);
  kr_rendered_done(&stage->rendered);
  kr_arena_done(&stage->arena);
  return 0;
}

static const kr_json *kr_parse(kr_stage *stage, const char *text) {
  const kr_json *json = NULL;
  assert_int_equal(kr_json_parse(kr_str_cstr(text), NULL, &stage->arena, &json, &stage->error),
                   KR_OK);
  return json;
}

static kr_program *kr_program_of(kr_stage *stage, kr_sink sink, const char *text) {
  kr_compile_options options = {.sink = sink, .secrets = &stage->names};
  kr_program *program = NULL;
  kr_diagnostics diagnostics;
  if (kr_compile(kr_str_cstr(text), &options, &program, &diagnostics) != KR_OK)
    fail_msg("%s: %s", text, diagnostics.items[0].error.message);
  return program;
}

typedef bool kr_decoder(kr_str text, kr_buf *out);

static bool kr_decode_percent_as(kr_str text, uint8_t plus, kr_buf *out) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    if (byte == '+')
      byte = plus;
    if (byte == '%') {
      if (i + 2 >= text.len)
        return false;
      int high = kr_hex_digit(text.ptr[i + 1]);
      int low = kr_hex_digit(text.ptr[i + 2]);
      if (high < 0 || low < 0)
        return false;
      byte = (uint8_t)(high * 16 + low);
      i += 2;
    } else if (byte == '/' || byte == '?' || byte == '#' || byte == '&' || byte == '=' ||
               (byte <= ' ' && plus != ' ') || byte >= 0x7F) {
      return false; /* would end the part it stands in */
    }
    assert_int_equal(kr_buf_byte(out, byte), KR_OK);
  }
  return true;
}

static bool kr_decode_percent(kr_str text, kr_buf *out) {
  return kr_decode_percent_as(text, '+', out);
}

static bool kr_decode_form(kr_str text, kr_buf *out) {
  return kr_decode_percent_as(text, ' ', out);
}

static bool kr_decode_same(kr_str text, kr_buf *out) {
  for (size_t i = 0; i < text.len; i++)
    if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] == 0x7F)
      return false;
  return kr_buf_append(out, text) == KR_OK;
}

static bool kr_decode_json(kr_str text, kr_buf *out) {
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    if (byte == '"' || byte < 0x20)
      return false;
    if (byte == '\\') {
      if (++i >= text.len)
        return false;
      const char *found = strchr(from, text.ptr[i]);
      if (text.ptr[i] == 'u' && i + 4 < text.len && text.ptr[i + 1] == '0' &&
          text.ptr[i + 2] == '0') {
        byte = (uint8_t)(kr_hex_digit(text.ptr[i + 3]) * 16 + kr_hex_digit(text.ptr[i + 4]));
        i += 4;
      } else if (found != NULL) {
        byte = (uint8_t)to[found - from];
      } else {
        return false;
      }
    }
    assert_int_equal(kr_buf_byte(out, byte), KR_OK);
  }
  return true;
}

static bool kr_decode_xml(kr_str text, kr_buf *out) {
  static const struct {
    const char *entity;
    uint8_t byte;
  } entities[] = {{"&amp;", '&'},  {"&lt;", '<'},   {"&gt;", '>'},   {"&quot;", '"'},
                  {"&#39;", '\''}, {"&#13;", '\r'}, {"&#10;", '\n'}, {"&#9;", '\t'}};
  for (size_t i = 0; i < text.len;) {
    uint8_t byte = text.ptr[i];
    size_t len = 1;
    if (byte == '<' || byte == '"' || byte == '\'' || byte == '\r')
      return false;
    for (size_t j = 0; byte == '&' && j < sizeof(entities) / sizeof(entities[0]); j++)
      if (kr_str_starts(kr_str_skip(text, i), kr_str_cstr(entities[j].entity))) {
        len = strlen(entities[j].entity);
        byte = entities[j].byte;
        break;
      }
    if (text.ptr[i] == '&' && len == 1)
      return false;
    assert_int_equal(kr_buf_byte(out, byte), KR_OK);
    i += len;
  }
  return true;
}

typedef struct kr_round {
  const char *name;
  kr_sink sink;
  const char *template; /* with one $payload */
  const char *head;
  const char *tail;
  kr_decoder *decode;
  size_t refused; /* of the hostile strings */
} kr_round;

static const kr_round kr_rounds[] = {
    {"url path", KR_SINK_URL, "https://h.example/a/$payload/b", "https://h.example/a/", "/b",
     kr_decode_percent, 2},
    {"url query", KR_SINK_URL, "https://h.example/?a=$payload&b=1", "https://h.example/?a=", "&b=1",
     kr_decode_percent, 0},
    {"url fragment", KR_SINK_URL, "https://h.example/#$payload", "https://h.example/#", "",
     kr_decode_percent, 0},
    {"query", KR_SINK_QUERY, "${$payload}", "", "", kr_decode_percent, 0},
    {"json string", KR_SINK_JSON, "{\"a\":\"x$payload\"}", "{\"a\":\"x", "\"}", kr_decode_json, 0},
    {"json value", KR_SINK_JSON, "{\"a\":$payload}", "{\"a\":\"", "\"}", kr_decode_json, 0},
    {"json key", KR_SINK_JSON, "{$payload:1}", "{\"", "\":1}", kr_decode_json, 0},
    {"leaf", KR_SINK_VALUE, "$payload", "\"", "\"", kr_decode_json, 0},
    {"header", KR_SINK_HEADER, "a$payload;", "a", ";", kr_decode_same, 4},
    {"form", KR_SINK_FORM, "a=$payload&b=1", "a=", "&b=1", kr_decode_form, 0},
    {"xml text", KR_SINK_XML, "<a>$payload</a>", "<a>", "</a>", kr_decode_xml, 1},
    {"xml attribute", KR_SINK_XML, "<a x='$payload'/>", "<a x='", "'/>", kr_decode_xml, 1},
};

static void kr_test_round(void **state) {
  const kr_round *round = *state;
  void *stage_state = NULL;
  (void)kr_setup(&stage_state);
  kr_stage *stage = stage_state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(stage, round->sink, round->template);
  size_t n_refused = 0;
  for (size_t i = 0; i < KR_HOSTILE_COUNT; i++) {
    KR_CLEANUP(kr_buf_done) kr_buf decoded = KR_BUF_INIT(65536, NULL);
    kr_render_input input = {.payload = kr_parse(stage, kr_hostile[i])};
    kr_status status = kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error);
    if (status != KR_OK) {
      assert_int_equal(status, KR_INVALID);
      n_refused++;
      continue;
    }
    kr_str out = kr_buf_str(&stage->rendered.buf);
    kr_str head = kr_str_cstr(round->head);
    kr_str tail = kr_str_cstr(round->tail);
    assert_true(kr_str_starts(out, head) && kr_str_ends(out, tail));
    kr_str middle = kr_str_slice(out, head.len, out.len - tail.len);
    if (!round->decode(middle, &decoded))
      fail_msg("%s: %s escapes its place: %.*s", round->name, kr_hostile[i], KR_FMT(out));
    if (!kr_str_equal(kr_buf_str(&decoded), kr_json_text(input.payload)))
      fail_msg("%s: %s comes back different: %.*s", round->name, kr_hostile[i], KR_FMT(out));
  }
  assert_int_equal(n_refused, round->refused);
  (void)kr_teardown(&stage_state);
}

static const char kr_sample[] =
    "{\"a\": $payload.x, \"b\": \"${uppercase(concat($payload.s, $payload.s))}\", "
    "\"c\": ${if($payload.w?, [1], {\"k\": join(\",\", split(\" \", $payload.s))})}, "
    "\"d\": \"$secret.A ${base64Encode($secret.A)}\"}";
static const char kr_sample_data[] = "{\"x\": {\"y\": [1, 2, 3]}, \"s\": \"hello wide world\"}";

typedef struct kr_opened {
  kr_secure *pool;
  kr_secret *secret;
  const kr_secret *values[1];
  kr_secret_source source;
} kr_opened;

static void kr_open(kr_stage *stage, kr_opened *opened, const char *value) {
  assert_int_equal(kr_secure_new(4096, &opened->pool, NULL), KR_OK);
  assert_int_equal(kr_secret_new(opened->pool, strlen(value), &opened->secret), KR_OK);
  memcpy(kr_secret_writable(opened->secret), value, strlen(value));
  opened->values[0] = opened->secret;
  opened->source = (kr_secret_source){.values = opened->values, .names = &stage->names};
}

static void kr_close(kr_opened *opened) {
  kr_secret_free(opened->secret);
  kr_secure_free(opened->pool);
}

static void kr_test_warm(void **state) {
  kr_stage *stage = *state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(stage, KR_SINK_JSON, kr_sample);
  kr_opened opened;
  kr_open(stage, &opened, "s3cret-value");
  kr_render_input input = {.payload = kr_parse(stage, kr_sample_data), .secrets = &opened.source};
  for (int i = 0; i < 4; i++)
    assert_int_equal(kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error),
                     KR_OK);
  size_t before = kr_test_allocations();
  for (int i = 0; i < 100; i++)
    assert_int_equal(kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error),
                     KR_OK);
  assert_int_equal(kr_test_allocations(), before);
  assert_int_equal(stage->rendered.n_spans, 2);
  kr_close(&opened);
}

static void kr_test_nomem(void **state) {
  kr_stage *stage = *state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(stage, KR_SINK_JSON, kr_sample);
  kr_opened opened;
  kr_open(stage, &opened, "s3cret-value");
  kr_render_input input = {.payload = kr_parse(stage, kr_sample_data), .secrets = &opened.source};
  for (size_t n = 0; n < 1000; n++) {
    KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
    KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
    kr_rendered_init(&rendered);
    kr_test_fail_at(n);
    kr_status status = kr_vm_new(&vm, &stage->error);
    if (status == KR_OK)
      status = kr_vm_render(vm, program, &input, &rendered, &stage->error);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(n > 3);
      kr_close(&opened);
      return;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(rendered.buf.len, 0);
    assert_int_equal(rendered.n_spans, 0);
  }
  fail_msg("the render never ran out of allocations to refuse");
}

/* After a failure nothing of the secret may be left in the output buffer. */
static void kr_test_wiped(void **state) {
  kr_stage *stage = *state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(stage, KR_SINK_TEXT, "$secret.A $payload.none");
  kr_opened opened;
  kr_open(stage, &opened, "s3cret-value");
  kr_render_input input = {.payload = kr_parse(stage, "{}"), .secrets = &opened.source};
  assert_int_equal(kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error),
                   KR_MISSING);
  assert_true(stage->rendered.buf.cap > 12);
  for (size_t i = 0; i < 12; i++)
    assert_int_equal(stage->rendered.buf.ptr[i], 0);
  kr_close(&opened);
}

static kr_status kr_refuse_add(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes) {
  (void)secrets;
  (void)function;
  *(size_t *)ctx += bytes.len;
  return KR_NOMEM;
}

/* What the redactor does not learn must not be sent. */
static void kr_test_derived_fails(void **state) {
  kr_stage *stage = *state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(stage, KR_SINK_TEXT, "${base64Encode($secret.A)}");
  kr_opened opened;
  kr_open(stage, &opened, "s3cret-value");
  size_t n_bytes = 0;
  kr_derived_sink derived = {.add = kr_refuse_add, .ctx = &n_bytes};
  kr_render_input input = {.secrets = &opened.source, .derived = &derived};
  assert_int_equal(kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error),
                   KR_NOMEM);
  assert_int_equal(n_bytes, 16);
  assert_int_equal(stage->rendered.buf.len, 0);
  kr_close(&opened);
}

typedef struct kr_worker {
  const kr_program *program;
  const kr_json *payload;
  bool is_good;
} kr_worker;

static void *kr_work(void *arg) {
  kr_worker *worker = arg;
  kr_vm *vm = NULL;
  kr_rendered rendered;
  kr_rendered_init(&rendered);
  worker->is_good = kr_vm_new(&vm, NULL) == KR_OK;
  kr_render_input input = {.payload = worker->payload};
  for (int i = 0; i < 500 && worker->is_good; i++)
    worker->is_good = kr_vm_render(vm, worker->program, &input, &rendered, NULL) == KR_OK &&
                      kr_str_equal(kr_buf_str(&rendered.buf), KR_STR("HELLO WIDE WORLD [1,2,3]"));
  kr_rendered_done(&rendered);
  kr_vm_free(vm);
  return NULL;
}

static void kr_test_threads(void **state) {
  kr_stage *stage = *state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(stage, KR_SINK_TEXT, "${uppercase($payload.s)} $payload.x.y");
  const kr_json *payload = kr_parse(stage, kr_sample_data);
  kr_worker workers[4];
  pthread_t threads[4];
  for (size_t i = 0; i < 4; i++) {
    workers[i] = (kr_worker){.program = program, .payload = payload};
    assert_int_equal(pthread_create(&threads[i], NULL, kr_work, &workers[i]), 0);
  }
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(workers[i].is_good);
  }
}

static void kr_test_program_facts(void **state) {
  kr_stage *stage = *state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program = kr_program_of(
      stage, KR_SINK_URL, "https://H.example:8080/$secret.A?x=$payload.order.id&y=$lookup.z");
  assert_true(kr_str_equal(kr_program_origin(program), KR_STR("https://h.example:8080")));
  assert_true(kr_program_uses_lookup(program));
  assert_true(kr_program_is_untrusted(program));
  assert_int_equal(kr_program_secrets(program), 1);
  assert_int_equal(kr_program_n_references(program), 3);
  assert_true(kr_str_equal(kr_program_reference(program, 1), KR_STR("$payload.order.id")));
  unsigned secret = 9;
  uint8_t context = 0;
  assert_true(kr_program_secret_site(program, 0, &secret, &context));
  assert_int_equal(secret, 0);
  assert_string_equal(kr_context_name(context), "url path");
  assert_false(kr_program_secret_site(program, 1, &secret, &context));
  KR_CLEANUP(kr_program_freep)
  kr_program *shop =
      kr_program_of(stage, KR_SINK_URL, "https://${hostLabel($payload.a)}.x.example/");
  assert_int_equal(kr_program_origin(shop).len, 0);
}

#define KR_RENDER_TEST(function) cmocka_unit_test_setup_teardown(function, kr_setup, kr_teardown)
#define KR_ROUND_COUNT (sizeof(kr_rounds) / sizeof(kr_rounds[0]))

int main(void) {
  const struct CMUnitTest fixed[] = {
      KR_RENDER_TEST(kr_test_warm),    KR_RENDER_TEST(kr_test_nomem),
      KR_RENDER_TEST(kr_test_wiped),   KR_RENDER_TEST(kr_test_derived_fails),
      KR_RENDER_TEST(kr_test_threads), KR_RENDER_TEST(kr_test_program_facts),
  };
  struct CMUnitTest tests[KR_ROUND_COUNT];
  for (size_t i = 0; i < KR_ROUND_COUNT; i++)
    tests[i] = (struct CMUnitTest){.name = kr_rounds[i].name,
                                   .test_func = kr_test_round,
                                   .initial_state = (void *)(uintptr_t)&kr_rounds[i]};
  int n_failed = _cmocka_run_group_tests("round trips", tests, KR_ROUND_COUNT, NULL, NULL);
  return n_failed + cmocka_run_group_tests(fixed, NULL, NULL);
}
