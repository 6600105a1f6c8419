/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver.h - the parts of krosyn-receiver, the HTTP/1.1 server that plays the
 * other side in tests and in the demo:
 *
 *   receiver.c         options, sockets, one poll loop
 *   receiver_parse.c   bytes -> request
 *   receiver_expect.c  request against the list of expected ones -> report lines
 *   receiver_roles.c   request -> answer
 *
 * It listens on 127.0.0.1 only. It is sent secrets and echoes them on purpose;
 * it never prints one.
 */
#ifndef KR_TEST_RECEIVER_H
#define KR_TEST_RECEIVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"

#include <stdio.h>

#define RECEIVER_HEADERS_MAX 128u
#define RECEIVER_HEAD_BYTES (128u * 1024u)          /* request line and headers */
#define RECEIVER_REQUEST_BYTES (4u * 1024u * 1024u) /* a whole request */
#define RECEIVER_ANSWER_BYTES (64u * 1024u * 1024u) /* a whole answer */
#define RECEIVER_EXPECTATIONS_MAX 1024u

typedef struct receiver_header {
  kr_str name;
  kr_str value;
} receiver_header;

/** Borrows from the bytes it was parsed from. */
typedef struct receiver_request {
  kr_str all; /* head and body as received */
  kr_str method;
  kr_str target; /* path and query */
  receiver_header headers[RECEIVER_HEADERS_MAX];
  size_t n_headers;
  kr_str body;
} receiver_request;

typedef enum receiver_parsed {
  RECEIVER_MORE,  /* not whole yet */
  RECEIVER_WHOLE, /* request->all.len bytes were used */
  RECEIVER_BAD
} receiver_parsed;

receiver_parsed receiver_parse(kr_str bytes, receiver_request *request);

/** The first header of this name; NULL when absent. */
const kr_str *receiver_find(const receiver_request *request, kr_str name);

/** What to do with one request. */
typedef struct receiver_answer {
  kr_buf *out;      /* bytes to send */
  int64_t delay_ms; /* before the first byte */
  bool is_closing;  /* close when all is sent */
} receiver_answer;

kr_status receiver_respond(const receiver_request *request, receiver_answer *answer) KR_MUST_USE;

/** Expected requests, one JSON object per line; see docs/connectors.md, "Trying it out". */
typedef struct receiver_expectations {
  kr_buf text;
  kr_arena arena;
  const struct kr_json *items[RECEIVER_EXPECTATIONS_MAX];
  size_t n_items;
  size_t n_received;
  bool is_checking; /* false: no list was given, requests are only counted */
  bool is_failed;
  FILE *report;
} receiver_expectations;

kr_status receiver_expect_load(receiver_expectations *expectations, const char *path,
                               kr_error *reterr) KR_MUST_USE;
void receiver_expect_check(receiver_expectations *expectations, const receiver_request *request);

/** Report what never came. */
void receiver_expect_finish(receiver_expectations *expectations);
void receiver_expect_done(receiver_expectations *expectations);

#endif
