/* SPDX-License-Identifier: Apache-2.0 */
/* pcre.h - the inside of the two types, for the files of this folder. */
#ifndef KR_REGEX_PCRE_H
#define KR_REGEX_PCRE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "regex/regex.h"

struct kr_regex {
  pcre2_code *code;
  uint32_t n_groups;
  uint32_t step_cost; /* steps for each item tried: what a failing item may read unseen */
  bool has_backreference;
  bool is_compiled;
};

/* What the callout of every item counts. */
typedef struct kr_regex_counter {
  uint64_t left; /* steps */
  size_t position;
  uint64_t step_cost;
  bool is_spent;
} kr_regex_counter;

struct kr_regex_scratch {
  pcre2_general_context *memory;
  pcre2_match_context *limits;
  pcre2_match_data *match;
  kr_regex_counter counter;
  uint32_t n_groups; /* of the last match */
  kr_str checked;    /* the subject known to be UTF-8 */
};

#endif
