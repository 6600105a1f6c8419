/* SPDX-License-Identifier: Apache-2.0 */
/* ctemplate_shim.cpp - see ctemplate_shim.h. One output string is used again and again. */
#include "ctemplate_shim.h"

#include <ctemplate/template.h>
#include <string>

using ctemplate::Template;
using ctemplate::TemplateDictionary;
using ctemplate::TemplateString;

void *kr_ctemplate_new(const char *text, size_t len) {
  return Template::StringToTemplate(TemplateString(text, len), ctemplate::DO_NOT_STRIP);
}

void kr_ctemplate_free(void *parsed) { delete static_cast<Template *>(parsed); }

void *kr_ctemplate_values_new(void) { return new TemplateDictionary("payload"); }

void kr_ctemplate_values_free(void *values) { delete static_cast<TemplateDictionary *>(values); }

void kr_ctemplate_values_set(void *values, const char *name, size_t name_len, const char *value,
                             size_t value_len) {
  static_cast<TemplateDictionary *>(values)->SetValue(TemplateString(name, name_len),
                                                      TemplateString(value, value_len));
}

void kr_ctemplate_values_borrow(void *values, const char *name, size_t name_len, const char *value,
                                size_t value_len) {
  static_cast<TemplateDictionary *>(values)->SetValueWithoutCopy(TemplateString(name, name_len),
                                                                 TemplateString(value, value_len));
}

const char *kr_ctemplate_expand(const void *parsed, const void *values, size_t *ret_len) {
  static std::string out;
  out.clear();
  if (!static_cast<const Template *>(parsed)->Expand(
          &out, static_cast<const TemplateDictionary *>(values)))
    return nullptr;
  *ret_len = out.size();
  return out.data();
}
