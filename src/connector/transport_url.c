/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_url.c - the last look at a URL before it is asked. The compiler
 * proved an origin by reading the template; here the rendered bytes are read
 * by the parser that will use them, and both must agree. A difference between
 * two URL parsers is how requests reach hosts that nobody wrote.
 */
#include "connector/transport.h"
#include "secmem/sensitive.h"

typedef struct kr_url_parts {
  CURLU *handle;
  char *scheme;
  char *host;
  char *port;
} kr_url_parts;

static void kr_url_parts_done(kr_url_parts *parts) {
  curl_free(parts->scheme);
  curl_free(parts->host);
  curl_free(parts->port);
  curl_url_cleanup(parts->handle);
}

static kr_status kr_url_fail(CURLUcode code, kr_error *reterr) {
  if (code == CURLUE_OUT_OF_MEMORY)
    return kr_fail_nomem(reterr);
  return kr_fail_hint(reterr, KR_INVALID, "the rendered URL cannot be read as a URL",
                      "it needs the form https://host/path");
}

/* curl is lenient: it takes any number of slashes, and a host where others see
 * a path. Here: printable ASCII, and exactly two slashes before the host. */
static kr_status kr_url_check_form(const char *url, kr_error *reterr) {
  for (const char *c = url; *c != '\0'; c++)
    if (*c <= ' ' || *c > '~')
      return kr_fail_hint(reterr, KR_INVALID, "the rendered URL has a byte that no URL may have",
                          "blanks, controls and other than ASCII must be percent-encoded");
  kr_str text = kr_str_cstr(url);
  size_t colon = kr_str_find(text, KR_STR(":"), 0);
  kr_str scheme = kr_str_slice(text, 0, colon);
  kr_str rest = kr_str_slice(text, colon, SIZE_MAX);
  if (!kr_str_starts(rest, KR_STR("://")))
    return kr_url_fail(CURLUE_MALFORMED_INPUT, reterr);
  if (!kr_str_equal_nocase(scheme, KR_STR("http")) && !kr_str_equal_nocase(scheme, KR_STR("https")))
    return kr_fail_hint(reterr, KR_REFUSED, "the rendered URL is neither http nor https",
                        "only http and https may be asked");
  if (kr_str_starts(rest, KR_STR(":///")))
    return kr_url_fail(CURLUE_NO_HOST, reterr);
  return KR_OK;
}

/* Parts as curl will use them; the port is the scheme's own unless one is given. */
static kr_status kr_url_read(const char *url, kr_url_parts *parts, kr_error *reterr) {
  parts->handle = curl_url();
  if (parts->handle == NULL)
    return kr_fail_nomem(reterr);
  CURLUcode code = curl_url_set(parts->handle, CURLUPART_URL, url, CURLU_PATH_AS_IS);
  if (code == CURLUE_OK)
    code = curl_url_get(parts->handle, CURLUPART_SCHEME, &parts->scheme, 0);
  if (code == CURLUE_OK)
    code = curl_url_get(parts->handle, CURLUPART_HOST, &parts->host, 0);
  if (code == CURLUE_OK)
    code = curl_url_get(parts->handle, CURLUPART_PORT, &parts->port, CURLU_DEFAULT_PORT);
  return code == CURLUE_OK ? KR_OK : kr_url_fail(code, reterr);
}

/* "https://host[:port]" against the parts, without regard to case and with default ports. */
static bool kr_url_matches(const kr_url_parts *parts, kr_str origin) {
  size_t colon = kr_str_find(origin, KR_STR("://"), 0);
  if (colon == SIZE_MAX)
    return false;
  kr_str scheme = kr_str_slice(origin, 0, colon);
  kr_str host = kr_str_skip(origin, colon + 3);
  kr_str port = kr_str_equal_nocase(scheme, KR_STR("https")) ? KR_STR("443") : KR_STR("80");
  /* The port follows the last colon, unless that one is inside an IPv6 address. */
  for (size_t i = host.len; i > 0 && host.ptr[i - 1] != ']'; i--) {
    if (host.ptr[i - 1] != ':')
      continue;
    if (i < host.len)
      port = kr_str_skip(host, i);
    host = kr_str_slice(host, 0, i - 1);
    break;
  }
  return kr_str_equal_nocase(scheme, kr_str_cstr(parts->scheme)) && host.len > 0 &&
         kr_str_equal_nocase(host, kr_str_cstr(parts->host)) &&
         kr_str_equal(port, kr_str_cstr(parts->port));
}

kr_status kr_transport_check_url(const char *url, kr_str origin, kr_error *reterr) {
  KR_TRY(kr_url_check_form(url, reterr));
  KR_CLEANUP(kr_url_parts_done) kr_url_parts parts = {0};
  KR_TRY(kr_url_read(url, &parts, reterr));
  if (parts.host == NULL || parts.host[0] == '\0')
    return kr_url_fail(CURLUE_NO_HOST, reterr);
  if (origin.len == 0 || kr_url_matches(&parts, origin))
    return KR_OK;
  (void)kr_fail(reterr, KR_REFUSED, "the rendered URL leaves %.*s, the origin its template names",
                KR_FMT(origin));
  kr_error_hint(reterr, "no data may change the scheme, host or port of a URL");
  return KR_REFUSED;
}

kr_status kr_http_url_host(kr_str url, char *out, size_t size, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_LIMIT_URL_BYTES + 1u, kr_sensitive_memory());
  if (url.len == 0 || memchr(url.ptr, 0, url.len) != NULL)
    return kr_fail(reterr, KR_INVALID, "the rendered URL is empty or has a NUL");
  kr_status status = kr_buf_append(&text, url);
  if (status == KR_OK)
    status = kr_buf_byte(&text, '\0');
  if (status != KR_OK)
    return kr_buf_explain(&text, status, "the rendered URL", reterr);
  KR_TRY(kr_url_check_form((const char *)text.ptr, reterr));
  KR_CLEANUP(kr_url_parts_done) kr_url_parts parts = {0};
  KR_TRY(kr_url_read((const char *)text.ptr, &parts, reterr));
  if (parts.host == NULL || parts.host[0] == '\0')
    return kr_url_fail(CURLUE_NO_HOST, reterr);
  size_t len = strlen(parts.host);
  if (len >= size)
    return kr_fail(reterr, KR_LIMIT, "the host of the rendered URL is too long");
  memcpy(out, parts.host, len + 1);
  return KR_OK;
}
