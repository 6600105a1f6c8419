/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - renders templates for tests written in other languages. A line of
 * input is PAYLOAD, a tab, TEMPLATE; a line of output is "ok" or "E350", a tab,
 * and the rendered JSON value, or the message.
 */
#include "vm/render.h"

#include <stdio.h>
#include <stdlib.h>

#define KR_DRIVER_LINE_BYTES (1u << 22)

typedef struct kr_driver {
  kr_vm *vm;
  kr_rendered rendered;
  kr_arena arena;
  kr_diagnostics diagnostics;
  kr_error error;
} kr_driver;

static kr_status kr_driver_run(kr_driver *driver, kr_str payload, kr_str template) {
  kr_secret_names names = {0};
  kr_compile_options options = {
      .sink = KR_SINK_VALUE, .secrets = &names, .evaluator = kr_vm_evaluator()};
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_render_input input = {0};
  KR_TRY(kr_json_parse(payload, NULL, &driver->arena, &input.payload, &driver->error));
  kr_status status = kr_compile(template, &options, &program, &driver->diagnostics);
  if (status != KR_OK) {
    driver->error = driver->diagnostics.items[0].error;
    return status;
  }
  return kr_vm_render(driver->vm, program, &input, &driver->rendered, &driver->error);
}

int main(void) {
  kr_driver driver = {.arena = KR_ARENA_INIT(KR_DRIVER_LINE_BYTES * 8u, NULL)};
  char *line = malloc(KR_DRIVER_LINE_BYTES);
  kr_rendered_init(&driver.rendered);
  if (line == NULL || kr_vm_new(&driver.vm, NULL) != KR_OK)
    return 1;
  while (fgets(line, KR_DRIVER_LINE_BYTES, stdin) != NULL) {
    char *tab = strchr(line, '\t');
    if (tab == NULL)
      return 1;
    kr_str template = kr_str_trim(kr_str_cstr(tab + 1));
    if (kr_driver_run(&driver, kr_str_from(line, (size_t)(tab - line)), template) == KR_OK)
      (void)printf("ok\t%.*s\n", KR_FMT(kr_buf_str(&driver.rendered.buf)));
    else
      (void)printf("E%u\t%s\n", driver.error.code, driver.error.message);
    kr_arena_reset(&driver.arena);
  }
  kr_vm_free(driver.vm);
  kr_rendered_done(&driver.rendered);
  kr_arena_done(&driver.arena);
  free(line);
  return 0;
}
