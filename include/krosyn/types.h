/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - the words every krosyn interface is made of: byte strings,
 * statuses, errors and spans. It is the ground of both the public API and the
 * modules below it, so it includes nothing of krosyn.
 *
 * Conventions, stated once and true everywhere unless a header says otherwise:
 *  - A function that can fail returns kr_status and writes its results (ret_*)
 *    only on KR_OK. An optional kr_error (reterr) is written on failure only;
 *    passing NULL is always allowed.
 *  - Borrowed arguments are not kept after the call returns.
 *  - x_free(NULL) is a no-op; zeroed structs may be passed to x_done().
 *  - An object may be used by one thread at a time; objects documented as
 *    immutable may be shared.
 *  - Sizes and offsets are bytes. Units stand in names (timeout_ms).
 */
#ifndef KROSYN_TYPES_H
#define KROSYN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define KR_API __attribute__((visibility("default")))
#define KR_MUST_USE __attribute__((warn_unused_result))
#define KR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define KR_API
#define KR_MUST_USE
#define KR_PRINTF(fmt, args)
#endif

/** Bytes with a length; not NUL-terminated; passed by value; borrows. */
typedef struct kr_str {
  const uint8_t *ptr; /* may be NULL when len is 0 */
  size_t len;
} kr_str;

/** One value for each thing a caller can do about a failure. */
typedef enum kr_status {
  KR_OK = 0,
  KR_NOT_FOUND,   /* the thing named does not exist: name another or create it */
  KR_EXISTS,      /* it exists already and is not overwritten */
  KR_INVALID,     /* an argument or a document is malformed: mend the input */
  KR_SYNTAX,      /* a template does not compile: mend the template */
  KR_MISSING,     /* a template names data or a secret that is not there */
  KR_LIMIT,       /* a named limit was exceeded */
  KR_REFUSED,     /* policy refuses it: allow it or ask for something else */
  KR_UNTRUSTED,   /* keys or permissions: mend the key, its file or its mode */
  KR_CORRUPT,     /* stored data fails its integrity check: restore */
  KR_UNSUPPORTED, /* a format of another version */
  KR_TRANSPORT,   /* the network or the peer failed: try again later */
  KR_IO,          /* the operating system refused: see the message */
  KR_NOMEM,       /* out of memory, or out of locked memory */
  KR_INTERNAL     /* a bug in krosyn; please report it */
} kr_status;

#define KR_ERROR_SOURCE_BYTES 64
#define KR_ERROR_MESSAGE_BYTES 256
#define KR_ERROR_HINT_BYTES 256

/**
 * What went wrong, where, and how to mend it. Filled by value: reporting an
 * error never allocates. No field ever holds a secret value, its length or a
 * hash of it, and of payload data at most the type.
 */
typedef struct kr_error {
  kr_status status;
  uint16_t code;                        /* stable diagnostic number (310 = E310), 0: none */
  size_t span_offset;                   /* bytes into the source text */
  size_t span_len;                      /* 0: no position */
  char source[KR_ERROR_SOURCE_BYTES];   /* field or file the span counts in, or "" */
  char message[KR_ERROR_MESSAGE_BYTES]; /* what and where */
  char hint[KR_ERROR_HINT_BYTES];       /* how to mend it, or "" */
} kr_error;

/** Where the master key of a home comes from; <krosyn/engine.h> says which is used when. */
typedef enum kr_key_source {
  KR_KEY_AUTO = 0,    /* not said */
  KR_KEY_FILE,        /* a key file */
  KR_KEY_CREDENTIAL,  /* a systemd credential: $CREDENTIALS_DIRECTORY/krosyn.key */
  KR_KEY_PASSPHRASE,  /* derived from a passphrase */
  KR_KEY_ENVIRONMENT, /* the environment variable KROSYN_KEY */
  KR_KEY_COMMAND      /* the output of a program */
} kr_key_source;

/** A stable lower-case word for a status ("not-found"), for JSON output. Static. */
KR_API const char *kr_status_name(kr_status status);

#endif
