/* SPDX-License-Identifier: Apache-2.0 */
/* landing.c - see landing.h. */
#include "engine/landing.h"

#include "redact/redact.h"

#include <stdio.h>

#define KR_LANDING_NAMES_BYTES 1024u /* of several secrets in one span; cut beyond */
#define KR_LANDING_TRANSFORMS_BYTES 512u

/* Append ", word" or "word" to a fixed text; what does not fit is left out. */
static void kr_landing_add(char *text, size_t size, size_t *len, kr_str word) {
  size_t needed = word.len + (*len == 0 ? 0 : 2);
  if (needed >= size - *len)
    return;
  int put = snprintf(text + *len, size - *len, "%s%.*s", *len == 0 ? "" : ", ", KR_FMT(word));
  if (put > 0)
    *len += (size_t)put;
}

static void kr_landing_names(kr_secret_set secrets, const kr_secret_names *names, char *text,
                             size_t size) {
  size_t len = 0;
  text[0] = '\0';
  for (unsigned i = 0; i < names->count; i++)
    if ((secrets >> i & 1) != 0)
      kr_landing_add(text, size, &len, kr_secret_name(names, i));
}

static void kr_landing_transforms(const kr_span *span, char *text, size_t size) {
  size_t len = 0;
  text[0] = '\0';
  for (unsigned i = 0; i < span->n_transforms && i < KR_SPAN_TRANSFORMS_MAX; i++)
    kr_landing_add(text, size, &len, kr_str_cstr(kr_function_name(span->transforms[i])));
}

kr_status kr_landing_each(const kr_rendered *rendered, const kr_secret_names *names,
                          const char *field, kr_landing_visit visit, void *ctx) {
  char secrets[KR_LANDING_NAMES_BYTES];
  char transforms[KR_LANDING_TRANSFORMS_BYTES];
  size_t read = 0;    /* bytes of the rendered text passed so far */
  size_t written = 0; /* bytes of the redacted text passed so far */
  size_t marker = 0;  /* where the last marker began */
  for (uint32_t i = 0; i < rendered->n_spans; i++) {
    const kr_span *span = &rendered->spans[i];
    bool is_touching = i > 0 && span->offset == read;
    if (!is_touching) {
      written += span->offset - read;
      marker = written;
      written += sizeof KR_REDACT_MARKER - 1;
    }
    read = (size_t)span->offset + span->len;
    kr_landing_names(span->secrets, names, secrets, sizeof secrets);
    kr_landing_transforms(span, transforms, sizeof transforms);
    const kr_landing landing = {.secrets = secrets,
                                .field = field,
                                .context = kr_context_name(span->context),
                                .transforms = transforms,
                                .offset = marker};
    KR_TRY(visit(ctx, &landing));
  }
  return KR_OK;
}
