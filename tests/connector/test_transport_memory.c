/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_transport_memory.c - no copy of a secret goes back to the heap. free()
 * is wrapped: every block is searched for the marker before it is released.
 * Also: every allocation of a whole exchange fails once.
 */
#include "connector/transport.h"
#include "exchange.h"
#include "support/failalloc.h"

#include <malloc.h>

#define MARKER "hunter2-correct-horse-battery"

/* volatile: a compiler knows that free() touches no variables of ours. */
static volatile bool is_watching;
static volatile size_t n_freed;
static volatile size_t n_found;

void __real_free(void *ptr);
void __wrap_free(void *ptr);

void __wrap_free(void *ptr) {
  if (is_watching && ptr != NULL) {
    kr_str block = kr_str_from(ptr, malloc_usable_size(ptr));
    n_freed = n_freed + 1;
    n_found = n_found + (kr_str_find(block, KR_STR(MARKER), 0) != SIZE_MAX ? 1u : 0u);
  }
  __real_free(ptr);
}

static void watch_begin(void) {
  is_watching = true;
  n_freed = 0;
  n_found = 0;
}

/* The watcher itself must see what is not wiped. */
static void the_watcher_sees(void **state) {
  (void)state;
  char *volatile copy = malloc(64);
  assert_non_null(copy);
  (void)snprintf(copy, 64, "..%s", MARKER);
  __asm__ volatile("" ::: "memory"); /* or the compiler drops a write before a free */
  watch_begin();
  free(copy);
  is_watching = false;
  assert_int_equal(n_found, 1);
}

static void blocks_are_wiped(void **state) {
  (void)state;
  watch_begin();
  char *text = kr_transport_strdup(MARKER);
  assert_string_equal(text, MARKER);
  text = kr_transport_realloc(text, 4096); /* moves */
  assert_string_equal(text, MARKER);
  text = kr_transport_realloc(text, 40); /* shrinks */
  assert_string_equal(text, MARKER);
  kr_transport_free(text);
  kr_transport_free(NULL);
  is_watching = false;
  assert_int_equal(n_freed, 3);
  assert_int_equal(n_found, 0);
}

static void blocks_behave_like_the_heap(void **state) {
  (void)state;
  uint8_t *zeros = kr_transport_calloc(7, 9);
  assert_non_null(zeros);
  for (size_t i = 0; i < 63; i++)
    assert_int_equal(zeros[i], 0);
  assert_int_equal((uintptr_t)zeros % 16, 0);
  kr_transport_free(zeros);
  assert_null(kr_transport_calloc(SIZE_MAX / 2, 3));
  assert_null(kr_transport_malloc(SIZE_MAX));
  void *fresh = kr_transport_realloc(NULL, 8);
  assert_non_null(fresh);
  assert_null(kr_transport_realloc(fresh, SIZE_MAX)); /* the old block stays */
  kr_transport_free(fresh);
  void *empty = kr_transport_malloc(0);
  assert_non_null(empty);
  kr_transport_free(empty);
}

static kr_request *secret_request(const fixture *self, const char *path) {
  kr_request *request = request_to(self, "POST", path, "{\"k\":\"" MARKER "\"}");
  request_header(request, "Authorization", "Bearer " MARKER);
  return request;
}

/* The secret is in the URL, a header, the body, and comes back in the answer. */
static void a_whole_exchange_leaves_nothing(void **state) {
  (void)state;
  static const char *const paths[] = {"/echo/" MARKER "?q=" MARKER, "/services/" MARKER,
                                      "/close/" MARKER};
  static fixture self; /* outside the watched heap */
  assert_true(fixture_start(&self, NULL));
  watch_begin();
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    kr_request *request = secret_request(&self, paths[i]);
    kr_exchange *exchange = NULL;
    const kr_response *response = run(&self, request, &exchange);
    if (i < 2)
      assert_int_not_equal(kr_str_find(response->body, KR_STR(MARKER), 0), SIZE_MAX);
    kr_exchange_free(exchange);
    kr_request_free(request);
  }
  kr_http_freep(&self.http);
  self.http = NULL;
  is_watching = false;
  fixture_stop(&self);
  assert_true(n_freed > 50); /* curl's own blocks went through here */
  assert_int_equal(n_found, 0);
}

/* One exchange with the n-th allocation refused; true when none was. */
static bool exchange_fails_cleanly(fixture *self, size_t n) {
  kr_request *request = secret_request(self, "/echo");
  const kr_http_options options = {.allow_private = true, .timeout_ms = 20000};
  kr_http *http = NULL;
  kr_exchange *exchange = NULL;
  kr_test_fail_at(n);
  kr_status status = kr_http_new(&http, NULL);
  if (status == KR_OK)
    status = kr_http_start(http, request, &options, &exchange, NULL);
  for (size_t i = 0; i < 1000 && status == KR_OK && !kr_exchange_is_done(exchange); i++)
    status = kr_http_step(http, 1000, NULL);
  size_t n_refused = kr_test_fail_stop();
  if (status == KR_OK) {
    assert_true(kr_exchange_is_done(exchange));
    const kr_response *response = kr_exchange_response(exchange);
    /* curl can do without some allocations; then the answer must be whole. */
    if (response->error.status == KR_OK) {
      assert_int_equal(response->status, 200);
      assert_true(kr_str_ends(response->body, KR_STR("{\"k\":\"" MARKER "\"}")));
    }
    status = response->error.status;
  }
  kr_exchange_free(exchange);
  kr_http_free(http);
  kr_request_free(request);
  if (n_refused == 0)
    assert_int_equal(status, KR_OK);
  if (status != KR_OK && status != KR_NOMEM && status != KR_TRANSPORT)
    fail_msg("allocation %zu: %s", n, kr_status_name(status));
  return n_refused == 0;
}

static void survives_failing_allocations(void **state) {
  (void)state;
  static fixture self;
  assert_true(fixture_start(&self, NULL));
  size_t n = 0;
  while (n < 5000 && !exchange_fails_cleanly(&self, n))
    n++;
  fixture_stop(&self);
  assert_true(n > 20 && n < 5000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_watcher_sees),
                                     cmocka_unit_test(blocks_are_wiped),
                                     cmocka_unit_test(blocks_behave_like_the_heap),
                                     cmocka_unit_test(a_whole_exchange_leaves_nothing),
                                     cmocka_unit_test(survives_failing_allocations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
