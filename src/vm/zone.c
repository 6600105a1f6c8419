/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone.c - TZif (RFC 8536). All counts are checked against the length of the
 * file when it is taken in, and every index in it; after that it is read where
 * it lies:
 *
 *   [header 44][block with 4-byte times]               version 1
 *   [header 44][block ... 8-byte times][\n rule \n]     version 2 and later
 *   block: times, kind of each, kinds (offset 4, is_dst 1, name 1), names, leap seconds, flags
 */
#include "vm/zone.h"

#include "base/cleanup.h"
#include "vm/calendar.h"

#include <stdlib.h>

#define KR_TZIF_HEADER_BYTES 44u
#define KR_TZIF_KIND_BYTES 6u
#define KR_TZIF_OFFSET_MIN (-89999) /* seconds; RFC 8536, section 3.2 */
#define KR_TZIF_OFFSET_MAX 93599

struct kr_zone {
  const uint8_t *times;
  const uint8_t *indexes; /* of the kind from each time on */
  const uint8_t *kinds;
  const uint8_t *names;
  uint32_t n_times;
  uint32_t n_kinds;
  uint32_t time_bytes;
  bool has_rule;
  kr_zone_rule rule;
  uint8_t file[];
};

KR_DEFINE_FREEP(kr_zone_freep, kr_zone, kr_zone_free)

typedef struct kr_tzif_block {
  uint32_t n_leaps;
  uint32_t n_times;
  uint32_t n_kinds;
  uint32_t n_name_bytes;
  size_t len; /* of the block */
} kr_tzif_block;

static uint32_t kr_tzif_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t kr_tzif_time(const kr_zone *zone, uint32_t index) {
  const uint8_t *at = zone->times + (size_t)index * zone->time_bytes;
  if (zone->time_bytes == 4)
    return (int32_t)kr_tzif_u32(at);
  return (int64_t)((uint64_t)kr_tzif_u32(at) << 32 | kr_tzif_u32(at + 4));
}

/* The header at the start of text; every count is below the length of the file, so no sum of
   products leaves 64 bits. */
static bool kr_tzif_header(kr_str text, size_t time_bytes, kr_tzif_block *ret_block) {
  if (!kr_str_starts(text, KR_STR("TZif")) || text.len < KR_TZIF_HEADER_BYTES)
    return false;
  uint64_t counts[6];
  for (size_t i = 0; i < 6; i++) {
    counts[i] = kr_tzif_u32(text.ptr + 20 + 4 * i);
    if (counts[i] > text.len)
      return false;
  }
  uint64_t len = counts[3] * (time_bytes + 1) + counts[4] * KR_TZIF_KIND_BYTES + counts[5] +
                 counts[2] * (time_bytes + 4) + counts[1] + counts[0];
  if (len > text.len - KR_TZIF_HEADER_BYTES)
    return false;
  *ret_block = (kr_tzif_block){.n_leaps = (uint32_t)counts[2],
                               .n_times = (uint32_t)counts[3],
                               .n_kinds = (uint32_t)counts[4],
                               .n_name_bytes = (uint32_t)counts[5],
                               .len = (size_t)len};
  return true;
}

static bool kr_tzif_name(const uint8_t *names, size_t at, size_t n_bytes) {
  for (size_t i = at; i < n_bytes && i - at <= KR_ZONE_ABBREVIATION_BYTES; i++) {
    uint8_t letter = names[i] | 0x20;
    if (names[i] == '\0')
      return true;
    if (!(letter >= 'a' && letter <= 'z') && !(names[i] >= '0' && names[i] <= '9') &&
        names[i] != '+' && names[i] != '-')
      return false;
  }
  return false;
}

static bool kr_tzif_check(const kr_zone *zone, const kr_tzif_block *block) {
  if (block->n_kinds == 0 || block->n_leaps > 0)
    return false;
  for (uint32_t i = 0; i < block->n_times; i++)
    if (zone->indexes[i] >= block->n_kinds ||
        (i > 0 && kr_tzif_time(zone, i) <= kr_tzif_time(zone, i - 1)))
      return false;
  for (uint32_t i = 0; i < block->n_kinds; i++) {
    const uint8_t *kind = zone->kinds + (size_t)i * KR_TZIF_KIND_BYTES;
    int32_t offset = (int32_t)kr_tzif_u32(kind);
    if (offset < KR_TZIF_OFFSET_MIN || offset > KR_TZIF_OFFSET_MAX ||
        !kr_tzif_name(zone->names, kind[5], block->n_name_bytes))
      return false;
  }
  return true;
}

static bool kr_tzif_footer(kr_zone *zone, kr_str rest) {
  size_t end = kr_str_find(rest, KR_STR("\n"), 1);
  if (rest.len == 0 || rest.ptr[0] != '\n' || end == SIZE_MAX)
    return false;
  kr_str text = kr_str_slice(rest, 1, end);
  zone->has_rule = text.len > 0;
  return text.len == 0 || kr_zone_rule_parse(text, &zone->rule);
}

static bool kr_tzif_open(kr_zone *zone, kr_str file) {
  kr_tzif_block block;
  zone->time_bytes = 4;
  if (!kr_tzif_header(file, 4, &block))
    return false;
  bool is_long = file.ptr[4] >= '2';
  if (is_long) {
    zone->time_bytes = 8;
    file = kr_str_skip(file, KR_TZIF_HEADER_BYTES + block.len);
    if (!kr_tzif_header(file, 8, &block))
      return false;
  }
  zone->n_times = block.n_times;
  zone->n_kinds = block.n_kinds;
  zone->times = file.ptr + KR_TZIF_HEADER_BYTES;
  zone->indexes = zone->times + (size_t)block.n_times * zone->time_bytes;
  zone->kinds = zone->indexes + block.n_times;
  zone->names = zone->kinds + (size_t)block.n_kinds * KR_TZIF_KIND_BYTES;
  return kr_tzif_check(zone, &block) &&
         (!is_long || kr_tzif_footer(zone, kr_str_skip(file, KR_TZIF_HEADER_BYTES + block.len)));
}

kr_status kr_zone_new(kr_str file, kr_zone **ret_zone) {
  if (file.len > KR_ZONE_FILE_BYTES)
    return KR_INVALID;
  KR_CLEANUP(kr_zone_freep) kr_zone *zone = malloc(sizeof(kr_zone) + file.len);
  if (zone == NULL)
    return KR_NOMEM;
  *zone = (kr_zone){0};
  if (file.len > 0)
    memcpy(zone->file, file.ptr, file.len);
  if (!kr_tzif_open(zone, kr_str_from(zone->file, file.len)))
    return KR_INVALID;
  *ret_zone = KR_TAKE(zone);
  return KR_OK;
}

void kr_zone_free(kr_zone *zone) { free(zone); }

kr_zone_offset kr_zone_at(const kr_zone *zone, int64_t seconds) {
  uint32_t low = 0; /* transitions that have happened */
  uint32_t high = zone->n_times;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (kr_tzif_time(zone, middle) <= seconds)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == zone->n_times && zone->has_rule)
    return kr_zone_rule_at(&zone->rule, seconds);
  /* before the first transition the first kind holds */
  const uint8_t *kind =
      zone->kinds + (low == 0 ? 0 : (size_t)zone->indexes[low - 1] * KR_TZIF_KIND_BYTES);
  return (kr_zone_offset){.seconds = (int32_t)kr_tzif_u32(kind),
                          .name = kr_str_cstr((const char *)zone->names + kind[5])};
}

void kr_zone_cache_done(kr_zone_cache *cache) {
  for (unsigned i = 0; i < cache->count; i++)
    kr_zone_free(cache->entries[i].zone);
  *cache = (kr_zone_cache){0};
}

static kr_status kr_zone_load(const kr_zone_reader *reader, kr_str name, kr_zone **ret_zone,
                              size_t *ret_n_bytes, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf file = KR_BUF_INIT(KR_ZONE_FILE_BYTES, NULL);
  KR_TRY(reader->read(reader->ctx, name, &file, reterr));
  kr_status status = kr_zone_new(kr_buf_str(&file), ret_zone);
  *ret_n_bytes = file.len;
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK)
    return kr_fail_hint(reterr, status, "the file of this time zone is malformed",
                        "install the package tzdata again");
  return KR_OK;
}

static const kr_zone *kr_zone_cached(const kr_zone_cache *cache, const kr_zone_reader *reader,
                                     kr_str name) {
  if (cache->reader.read != reader->read || cache->reader.ctx != reader->ctx)
    return NULL;
  for (unsigned i = 0; i < cache->count; i++)
    if (kr_str_equal(kr_str_from(cache->entries[i].name, cache->entries[i].name_len), name))
      return cache->entries[i].zone;
  return NULL;
}

bool kr_zone_cache_has(const kr_zone_cache *cache, const kr_zone_reader *reader, kr_str name) {
  return kr_zone_cached(cache, reader, name) != NULL;
}

kr_status kr_zone_cache_get(kr_zone_cache *cache, const kr_zone_reader *reader, kr_str name,
                            const kr_zone **ret_zone, size_t *ret_n_bytes, kr_error *reterr) {
  *ret_n_bytes = 0;
  if (!kr_zone_name_is_safe(name))
    return kr_fail_hint(reterr, KR_MISSING, "this is not the name of a time zone",
                        "names are those of the IANA data, such as Europe/Berlin or UTC");
  if (cache->reader.read != reader->read || cache->reader.ctx != reader->ctx)
    kr_zone_cache_done(cache);
  *ret_zone = kr_zone_cached(cache, reader, name);
  if (*ret_zone != NULL)
    return KR_OK;
  kr_zone *zone = NULL;
  KR_TRY(kr_zone_load(reader, name, &zone, ret_n_bytes, reterr));
  unsigned index = cache->next;
  if (cache->count < KR_ZONE_CACHE_MAX)
    cache->count++;
  else
    kr_zone_free(cache->entries[index].zone);
  cache->reader = *reader;
  cache->next = (index + 1) % KR_ZONE_CACHE_MAX;
  cache->entries[index].zone = zone;
  cache->entries[index].name_len = (uint8_t)name.len;
  memcpy(cache->entries[index].name, name.ptr, name.len);
  *ret_zone = zone;
  return KR_OK;
}
