/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_transport_tls.c - a certificate that nobody vouches for ends the
 * exchange before a byte of the request is sent. The server is a thread here,
 * with a key made for this run.
 */
#include "connector/http.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct server {
  SSL_CTX *context;
  int listen_fd;
  unsigned port;
  bool was_contacted;
  int n_received; /* bytes of a request */
  pthread_t thread;
} server;

static void *serve(void *ctx) {
  server *self = ctx;
  int fd = accept(self->listen_fd, NULL, NULL);
  SSL *ssl = SSL_new(self->context);
  char bytes[4096];
  self->was_contacted = fd >= 0;
  if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
    self->n_received = SSL_read(ssl, bytes, sizeof bytes);
  SSL_free(ssl);
  (void)close(fd);
  return NULL;
}

/* Self-signed, for 127.0.0.1's stand-in name; which name does not matter here. */
static void make_certificate(SSL_CTX *context) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  assert_non_null(key);
  assert_non_null(certificate);
  assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
  assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
  assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
  assert_int_equal(X509_set_pubkey(certificate, key), 1);
  X509_NAME *name = X509_get_subject_name(certificate);
  assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                              (const unsigned char *)"127.0.0.1", -1, -1, 0),
                   1);
  assert_int_equal(X509_set_issuer_name(certificate, name), 1);
  assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
  assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

static void server_start(server *self) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof address;
  self->context = SSL_CTX_new(TLS_server_method());
  assert_non_null(self->context);
  make_certificate(self->context);
  self->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(self->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(self->listen_fd, 1), 0);
  assert_int_equal(getsockname(self->listen_fd, (struct sockaddr *)&address, &len), 0);
  self->port = ntohs(address.sin_port);
  assert_int_equal(pthread_create(&self->thread, NULL, serve, self), 0);
}

static void server_stop(server *self) {
  assert_int_equal(pthread_join(self->thread, NULL), 0);
  (void)close(self->listen_fd);
  SSL_CTX_free(self->context);
}

static void an_untrusted_certificate_gets_nothing(void **state) {
  (void)state;
  (void)signal(SIGPIPE, SIG_IGN); /* for the server's side */
  server peer = {0};
  server_start(&peer);
  char url[128];
  (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/hunter2", peer.port);
  KR_CLEANUP(kr_http_freep) kr_http *http = NULL;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  KR_CLEANUP(kr_exchange_freep) kr_exchange *exchange = NULL;
  assert_int_equal(kr_http_process_init(NULL), KR_OK);
  assert_int_equal(kr_http_new(&http, NULL), KR_OK);
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  assert_int_equal(kr_buf_append(&request->url.buf, kr_str_cstr(url)), KR_OK);
  const kr_http_options options = {.allow_private = true, .timeout_ms = 20000};
  assert_int_equal(kr_http_start(http, request, &options, &exchange, NULL), KR_OK);
  for (size_t i = 0; i < 1000 && !kr_exchange_is_done(exchange); i++)
    assert_int_equal(kr_http_step(http, 1000, NULL), KR_OK);
  server_stop(&peer);
  const kr_response *response = kr_exchange_response(exchange);
  assert_true(peer.was_contacted);
  assert_true(peer.n_received <= 0);
  assert_int_equal(response->error.status, KR_TRANSPORT);
  assert_non_null(strstr(response->error.message, "certificate"));
  assert_null(strstr(response->error.message, "hunter2"));
  assert_int_equal(response->status, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(an_untrusted_certificate_gets_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
