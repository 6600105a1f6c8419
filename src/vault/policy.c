/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c - what environments and policies of secrets may be, and what they
 * allow. A list of hosts is a text: "api.example.com *.example.org [::1]", each
 * in lower case; `*.` stands for one or more labels, as users of certificates
 * and of cookie domains expect, and never for the name behind it alone.
 */
#include "vault/internal.h"

#define KR_POLICY_HOST_BYTES 255u
#define KR_POLICY_HOSTS_MAX 32u

kr_status kr_vault_environment_check(kr_str environment, kr_error *reterr) {
  bool is_ok = environment.len <= KR_ENVIRONMENT_BYTES &&
               (environment.len == 0 || environment.ptr[0] != '-');
  for (size_t i = 0; is_ok && i < environment.len; i++) {
    uint8_t byte = environment.ptr[i];
    is_ok = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
  }
  if (is_ok)
    return KR_OK;
  return kr_fail_hint(
      reterr, KR_INVALID,
      "an environment's name is 1 to 32 of a-z, 0-9 and '-', not beginning with '-'",
      "for example staging");
}

/* The next host of a list, and the rest of it; an empty one at the end. */
static kr_str kr_policy_next_host(kr_str *list) {
  const uint8_t *blank = list->len == 0 ? NULL : memchr(list->ptr, ' ', list->len);
  size_t len = blank == NULL ? list->len : (size_t)(blank - list->ptr);
  kr_str host = kr_str_slice(*list, 0, len);
  *list = kr_str_skip(*list, blank == NULL ? len : len + 1);
  return host;
}

static bool kr_policy_is_host(kr_str host) {
  if (kr_str_starts(host, KR_STR("*.")))
    host = kr_str_skip(host, 2);
  if (host.len == 0 || host.len > KR_POLICY_HOST_BYTES || host.ptr[0] == '.')
    return false;
  bool is_ipv6 = host.ptr[0] == '[';
  if (is_ipv6 && host.ptr[host.len - 1] != ']')
    return false;
  size_t first = is_ipv6 ? 1 : 0;
  for (size_t i = first; i < host.len - first; i++) {
    uint8_t byte = host.ptr[i];
    bool is_hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
    bool is_ok = is_ipv6 ? is_hex || byte == ':' || byte == '.'
                         : is_hex || (byte >= 'g' && byte <= 'z') || byte == '-' || byte == '.' ||
                               byte == '_';
    if (!is_ok)
      return false;
  }
  return true;
}

static kr_status kr_policy_check_hosts(const kr_secret_policy *policy, kr_error *reterr) {
  kr_str list = kr_str_cstr(policy->hosts);
  for (size_t n_hosts = 0; list.len > 0; n_hosts++) {
    if (n_hosts == KR_POLICY_HOSTS_MAX)
      return kr_fail(reterr, KR_LIMIT, "a secret has at most %u allowed hosts",
                     KR_POLICY_HOSTS_MAX);
    bool is_last = memchr(list.ptr, ' ', list.len) == NULL;
    kr_str host = kr_policy_next_host(&list);
    if (!kr_policy_is_host(host) || (list.len == 0 && !is_last))
      return kr_fail_hint(reterr, KR_INVALID, "this is not a host name a secret can be bound to",
                          "lower case, no scheme, port or path: api.example.com, *.example.com "
                          "or [::1]");
  }
  return KR_OK;
}

kr_status kr_vault_policy_check(const kr_secret_policy *policy, kr_error *reterr) {
  if (policy->keep < 1 || policy->keep > KR_VAULT_VERSIONS_MAX)
    return kr_fail(reterr, KR_INVALID, "a secret keeps 1 to %u versions", KR_VAULT_VERSIONS_MAX);
  if (policy->min_search > KR_VAULT_MIN_SEARCH_BYTES)
    return kr_fail(reterr, KR_INVALID, "the minimum length for search is 1 to %u bytes",
                   KR_VAULT_MIN_SEARCH_BYTES);
  if (policy->positions > KR_POSITIONS_ALL)
    return kr_fail(reterr, KR_INVALID, "positions are header, path, query and body");
  if (policy->expires_ms < 0)
    return kr_fail(reterr, KR_INVALID, "an expiry is a time after 1970");
  return kr_policy_check_hosts(policy, reterr);
}

bool kr_vault_policy_allows_host(const kr_secret_policy *policy, kr_str host) {
  kr_str list = kr_str_cstr(policy->hosts);
  if (list.len == 0)
    return true;
  while (list.len > 0) {
    kr_str allowed = kr_policy_next_host(&list);
    if (kr_str_equal(allowed, host))
      return true;
    if (!kr_str_starts(allowed, KR_STR("*.")))
      continue;
    kr_str suffix = kr_str_skip(allowed, 1); /* with its dot */
    if (host.len > suffix.len && kr_str_equal(kr_str_skip(host, host.len - suffix.len), suffix))
      return true;
  }
  return false;
}
