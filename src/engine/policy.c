/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c - the last look at a request before it is sent: every rendered piece
 * knows by its spans which secrets its bytes come from, and every secret where
 * it may go.
 *
 *   url (up to '?': path, then query) | headers | body  ->  secrets by position
 *   origin of the template, or the rendered URL         ->  host
 */
#include "engine/policy.h"

#include <ctype.h>

#define KR_POLICY_HOST_BYTES 256u

/* The secrets of a request, one set for each position, in the order of the bits. */
typedef struct kr_policy_seen {
  kr_secret_set in[4];
} kr_policy_seen;

static const char *const kr_policy_positions[4] = {"a header", "the URL's path", "the URL's query",
                                                   "the body"};

static void kr_policy_see(const kr_rendered *rendered, kr_secret_set *seen) {
  for (uint32_t i = 0; i < rendered->n_spans; i++)
    *seen |= rendered->spans[i].secrets;
}

static void kr_policy_see_url(const kr_rendered *url, kr_policy_seen *seen) {
  const uint8_t *mark = url->buf.len == 0 ? NULL : memchr(url->buf.ptr, '?', url->buf.len);
  size_t path_len = mark == NULL ? url->buf.len : (size_t)(mark - url->buf.ptr);
  for (uint32_t i = 0; i < url->n_spans; i++)
    seen->in[url->spans[i].offset < path_len ? 1 : 2] |= url->spans[i].secrets;
}

static kr_policy_seen kr_policy_seen_of(const kr_request *request) {
  kr_policy_seen seen = {{0}};
  kr_policy_see_url(&request->url, &seen);
  for (size_t i = 0; i < request->n_headers; i++)
    kr_policy_see(&request->headers[i].value, &seen.in[0]);
  if (request->has_body)
    kr_policy_see(&request->body, &seen.in[3]);
  return seen;
}

/* Lower case, without a final dot: the form lists of hosts have. */
static void kr_policy_host_normalize(char host[KR_POLICY_HOST_BYTES]) {
  size_t len = strlen(host);
  for (size_t i = 0; i < len; i++)
    host[i] = (char)tolower((unsigned char)host[i]);
  if (len > 1 && host[len - 1] == '.')
    host[len - 1] = '\0';
}

/* Of "https://host:port", which the compiler made. */
static void kr_policy_host_of_origin(kr_str origin, char out[KR_POLICY_HOST_BYTES]) {
  size_t start = kr_str_find(origin, KR_STR("://"), 0);
  kr_str host = kr_str_skip(origin, start == SIZE_MAX ? 0 : start + 3);
  size_t len = 0;
  bool is_ipv6 = host.len > 0 && host.ptr[0] == '[';
  while (len < host.len && (is_ipv6 ? host.ptr[len] != ']' : host.ptr[len] != ':'))
    len++;
  if (is_ipv6 && len < host.len)
    len++;
  if (len >= KR_POLICY_HOST_BYTES)
    len = 0; /* no host is so long: nothing is allowed to it */
  if (len > 0)
    memcpy(out, host.ptr, len);
  out[len] = '\0';
}

/* Where the request goes; false when that is not known, in a dry run. */
static kr_status kr_policy_host(const kr_run *run, const kr_request *request,
                                char out[KR_POLICY_HOST_BYTES], bool *ret_is_known,
                                kr_error *reterr) {
  *ret_is_known = request->origin.len > 0 || !run->is_dry;
  out[0] = '\0';
  if (request->origin.len > 0)
    kr_policy_host_of_origin(request->origin, out);
  else if (!run->is_dry)
    KR_TRY(kr_http_url_host(kr_buf_str(&request->url.buf), out, KR_POLICY_HOST_BYTES, reterr));
  kr_policy_host_normalize(out);
  return KR_OK;
}

static kr_status kr_policy_refuse(const kr_run *run, uint32_t secret, const char *where,
                                  kr_error *reterr) {
  kr_str name = kr_secret_name(&run->plan->names, secret);
  (void)kr_fail(reterr, KR_REFUSED, "secret %.*s may not stand in %s", KR_FMT(name), where);
  kr_error_hint(reterr,
                "`krosyn secret show %.*s` says where it may; `krosyn secret policy` changes it",
                KR_FMT(name));
  return KR_REFUSED;
}

static kr_status kr_policy_check_one(const kr_run *run, uint32_t secret, const kr_policy_seen *seen,
                                     const char *host, bool is_host_known, kr_error *reterr) {
  const kr_secret_policy *policy = &run->policies[secret];
  bool is_used = false;
  for (unsigned i = 0; i < 4; i++) {
    if ((seen->in[i] >> secret & 1) == 0)
      continue;
    is_used = true;
    if (policy->positions != 0 && (policy->positions >> i & 1) == 0)
      return kr_policy_refuse(run, secret, kr_policy_positions[i], reterr);
  }
  if (!is_used || !is_host_known || kr_vault_policy_allows_host(policy, kr_str_cstr(host)))
    return KR_OK;
  /* The host is named only when the template did: else it came from a secret. */
  return kr_policy_refuse(run, secret, "a request to this host", reterr);
}

kr_status kr_policy_check(const kr_run *run, const kr_request *request, kr_error *reterr) {
  char host[KR_POLICY_HOST_BYTES];
  bool is_host_known = false;
  bool has_rule = false;
  for (uint32_t i = 0; i < run->plan->names.count; i++)
    has_rule = has_rule || run->policies[i].positions != 0 || run->policies[i].hosts[0] != '\0';
  if (!has_rule)
    return KR_OK;
  kr_policy_seen seen = kr_policy_seen_of(request);
  KR_TRY(kr_policy_host(run, request, host, &is_host_known, reterr));
  kr_status status = KR_OK;
  for (uint32_t i = 0; i < run->plan->names.count && status == KR_OK; i++)
    status = kr_policy_check_one(run, i, &seen, host, is_host_known, reterr);
  kr_wipe(host, sizeof host); /* it may have come from a secret */
  return status;
}
