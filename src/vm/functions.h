/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions.h - the bodies of functions.def, declared from the table. Arguments
 * are converted to the types of the table; marks and registration are the
 * caller's (call.c), but for the functions that keep the parts of their arguments.
 */
#ifndef KR_VM_FUNCTIONS_H
#define KR_VM_FUNCTIONS_H

#include "vm/vm.h"

#define KR_BODY_PARTS(id) kr_function_body kr_body_##id;
#define KR_BODY_WHOLE(id) kr_function_body kr_body_##id;
#define KR_BODY_LAZY(id)
#define KR_BODY_ESCAPER(id)
#define KR_FUNCTION(id, name, min, max, params, result, marks, ...) KR_BODY_##marks(id)
#include "lang/functions.def"
#undef KR_BODY_PARTS
#undef KR_BODY_WHOLE
#undef KR_BODY_LAZY
#undef KR_BODY_ESCAPER

#endif
