/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - what the transport tests share: requests to the receiver, run
 * to their end. Every function fails the test when something is not as it says.
 */
#ifndef KR_TEST_CONNECTOR_EXCHANGE_H
#define KR_TEST_CONNECTOR_EXCHANGE_H

#include "connector/http.h"
#include "support/receiver_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct fixture {
  receiver_process receiver;
  kr_http *http;
  char origin[64]; /* http://127.0.0.1:PORT */
} fixture;

/** cmocka set-up and tear-down of one receiver and one multi handle. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/** The same with expectations ("%s" in them is not replaced). */
bool fixture_start(fixture *self, const char *expectations);
void fixture_stop(fixture *self);

/** A request of `path` at the receiver; its origin is proved. body NULL: none. */
kr_request *request_to(const fixture *self, const char *method, const char *path, const char *body);
/** A request of any URL; origin "" is "from a secret". */
kr_request *request_of(const char *method, const char *url, const char *origin);
void request_header(kr_request *request, const char *name, const char *value);

/** Start with allow_private, run to the end. */
const kr_response *run(fixture *self, const kr_request *request, kr_exchange **ret_exchange);
const kr_response *run_with(fixture *self, const kr_request *request,
                            const kr_http_options *options, kr_exchange **ret_exchange);

/** How many requests the receiver has seen. */
size_t n_requests(const fixture *self);

void assert_str(kr_str str, const char *expected);
/** status, and a part of the message. */
void assert_error(const kr_response *response, kr_status status, const char *part);
const kr_response_header *find_header(const kr_response *response, const char *name, size_t nth);

#endif
