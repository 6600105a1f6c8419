/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_errors.c - what curl reports, in words of ours. curl's own error
 * buffer can quote the URL and what the peer sent, so it is never asked for;
 * curl_easy_strerror() is fixed text. A message names the origin's host and
 * port at most, and only when the origin stands in the template.
 */
#include "connector/transport.h"

#include <errno.h>
#include <stdio.h>

typedef struct kr_transport_fault {
  CURLcode code;
  const char *message; /* %s stands for the target */
  const char *hint;
} kr_transport_fault;

static const kr_transport_fault kr_transport_faults[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "cannot resolve host of %s",
     "check the host name, and the name service of this machine"},
    {CURLE_PEER_FAILED_VERIFICATION, "the certificate of %s is not valid for it or not trusted",
     "check the target's certificate, and the trusted certificates of this machine"},
    {CURLE_SSL_CACERT_BADFILE, "the trusted certificates of this machine cannot be read",
     "install the system's certificates"},
    {CURLE_SSL_CONNECT_ERROR, "the TLS handshake with %s failed",
     "check that the port speaks TLS, and which versions it offers"},
    {CURLE_GOT_NOTHING, "%s closed the connection without an answer", "see the target's own log"},
    {CURLE_PARTIAL_FILE, "the answer of %s ended too early", "see the target's own log"},
    {CURLE_SEND_ERROR, "the connection to %s broke while sending", "try again later"},
    {CURLE_RECV_ERROR, "the connection to %s broke while receiving", "try again later"},
    {CURLE_WEIRD_SERVER_REPLY, "what %s answered is not HTTP",
     "check the port, and whether it is http or https"},
    {CURLE_UNSUPPORTED_PROTOCOL, "what %s answered is not HTTP",
     "check the port, and whether it is http or https"},
    {CURLE_BAD_CONTENT_ENCODING, "the answer of %s has a broken transfer coding",
     "see the target's own log"},
};

/* An origin of the longest host; a shorter place would cut it, and a cut text cannot be searched.
 */
#define KR_TRANSPORT_TARGET_BYTES 320u

/* "target host:port", or "the target" when its origin came from a secret. */
static void kr_transport_target(const kr_exchange *exchange, char *out, size_t size) {
  kr_str origin = exchange->request->origin;
  size_t colon = kr_str_find(origin, KR_STR("://"), 0);
  if (origin.len == 0 || colon == SIZE_MAX) {
    (void)snprintf(out, size, "target");
    return;
  }
  (void)snprintf(out, size, "target %.*s", KR_FMT(kr_str_skip(origin, colon + 3)));
}

static void kr_transport_describe_connect(const kr_exchange *exchange, const char *target,
                                          long os_error, kr_error *error) {
  if (exchange->refused != NULL) {
    (void)kr_fail(error, KR_REFUSED, "%s is at an address that is not public (%s)", target,
                  exchange->refused);
    kr_error_hint(error, "if it is meant to be reached, allow it with --allow-private");
    return;
  }
  if (os_error == 0 || os_error == ECONNREFUSED) {
    (void)kr_fail(error, KR_TRANSPORT, "%s refused the connection", target);
    kr_error_hint(error, "check that it runs and listens on this port");
    return;
  }
  char reason[KR_ERROR_MESSAGE_BYTES];
  kr_error os = {0};
  (void)kr_fail_errno(&os, (int)os_error, "cannot connect to %s", target);
  (void)snprintf(reason, sizeof reason, "%s", os.message);
  (void)kr_fail(error, KR_TRANSPORT, "%s", reason);
  kr_error_hint(error, "check the network between here and there");
}

void kr_transport_describe(const kr_exchange *exchange, CURLcode code, long os_error,
                           kr_error *error) {
  char target[KR_TRANSPORT_TARGET_BYTES];
  kr_transport_target(exchange, target, sizeof target);
  if (exchange->is_resend) {
    (void)kr_fail(error, KR_TRANSPORT, "%s closed the connection without an answer", target);
    kr_error_hint(error, "it may have received the request or not; see the target's own log");
    return;
  }
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK) {
    kr_transport_describe_connect(exchange, target, os_error, error);
    return;
  }
  if (exchange->is_nomem || code == CURLE_OUT_OF_MEMORY) {
    (void)kr_fail_nomem(error);
    return;
  }
  if (exchange->header_fault != NULL) {
    (void)kr_fail(error, KR_LIMIT, "the answer of %s has %s", target, exchange->header_fault);
    return;
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    (void)kr_fail(error, KR_TRANSPORT, "%s gave no complete answer within %u ms", target,
                  exchange->timeout_ms);
    kr_error_hint(error, "raise timeout_ms, or see why the target is slow");
    return;
  }
  for (size_t i = 0; i < sizeof kr_transport_faults / sizeof kr_transport_faults[0]; i++) {
    const kr_transport_fault *fault = &kr_transport_faults[i];
    if (fault->code != code)
      continue;
    const char *mark = strstr(fault->message, "%s");
    size_t before = mark == NULL ? strlen(fault->message) : (size_t)(mark - fault->message);
    (void)kr_fail(error, KR_TRANSPORT, "%.*s%s%s", (int)before, fault->message,
                  mark == NULL ? "" : target, mark == NULL ? "" : mark + 2);
    kr_error_hint(error, "%s", fault->hint);
    return;
  }
  (void)kr_fail(error, KR_TRANSPORT, "the exchange with %s failed: %s", target,
                curl_easy_strerror(code));
}
