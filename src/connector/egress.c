/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress.c - the table of special address ranges, from IANA's IPv4 and IPv6
 * Special-Purpose Address Registries (RFC 6890, RFC 8190) and multicast space.
 *
 * IPv6 is closed by default: outside 2000::/3, where all public addresses are,
 * everything is special; inside it the table lists the exceptions. Addresses
 * that carry an IPv4 address which a router or translator would deliver to are
 * judged by that address.
 */
#include "connector/egress.h"

#include <netinet/in.h>
#include <string.h>

typedef struct kr_egress_range {
  uint8_t first[16];
  uint8_t n_bits;
  const char *reason;
} kr_egress_range;

static const kr_egress_range kr_egress_v4[] = {
    {{0}, 8, "this network"},
    {{10}, 8, "private"},
    {{100, 64}, 10, "shared"},
    {{127}, 8, "loopback"},
    {{169, 254}, 16, "link-local"},
    {{172, 16}, 12, "private"},
    {{192, 0, 0}, 24, "protocol assignments"},
    {{192, 0, 2}, 24, "documentation"},
    {{192, 88, 99}, 24, "6to4 relay"},
    {{192, 168}, 16, "private"},
    {{198, 18}, 15, "benchmarking"},
    {{198, 51, 100}, 24, "documentation"},
    {{203, 0, 113}, 24, "documentation"},
    {{224}, 4, "multicast"},
    {{255, 255, 255, 255}, 32, "broadcast"},
    {{240}, 4, "reserved"},
};

/* Named first; whatever is left outside 2000::/3 is "reserved". */
static const kr_egress_range kr_egress_v6[] = {
    {{0}, 128, "unspecified"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    {{0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}, 48, "local translation"},
    {{0x01}, 64, "discard"},
    {{0x20, 0x01}, 23, "protocol assignments"},
    {{0x20, 0x01, 0x0D, 0xB8}, 32, "documentation"},
    {{0x3F, 0xFF}, 20, "documentation"},
    {{0x5F}, 16, "segment routing"},
    {{0xFC}, 7, "private"},
    {{0xFE, 0x80}, 10, "link-local"},
    {{0xFE, 0xC0}, 10, "site-local"},
    {{0xFF}, 8, "multicast"},
};

/* Prefixes after which an IPv4 address stands at `n_bits / 8`. */
static const kr_egress_range kr_egress_embedded[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 96, "mapped"},
    {{0x00, 0x64, 0xFF, 0x9B}, 96, "NAT64"},
    {{0x20, 0x02}, 16, "6to4"},
};

static bool kr_egress_in(const uint8_t *address, const kr_egress_range *range) {
  size_t n_whole = range->n_bits / 8u;
  unsigned n_rest = range->n_bits % 8u;
  if (memcmp(address, range->first, n_whole) != 0)
    return false;
  uint8_t mask = (uint8_t)(0xFFu << (8u - n_rest));
  return n_rest == 0 || (address[n_whole] & mask) == range->first[n_whole];
}

static const char *kr_egress_find(const uint8_t *address, const kr_egress_range *ranges,
                                  size_t n_ranges) {
  for (size_t i = 0; i < n_ranges; i++)
    if (kr_egress_in(address, &ranges[i]))
      return ranges[i].reason;
  return NULL;
}

static const char *kr_egress_judge_v4(const uint8_t address[4]) {
  return kr_egress_find(address, kr_egress_v4, sizeof kr_egress_v4 / sizeof kr_egress_v4[0]);
}

static const char *kr_egress_judge_v6(const uint8_t address[16]) {
  for (size_t i = 0; i < sizeof kr_egress_embedded / sizeof kr_egress_embedded[0]; i++)
    if (kr_egress_in(address, &kr_egress_embedded[i]))
      return kr_egress_judge_v4(address + kr_egress_embedded[i].n_bits / 8);
  const char *reason =
      kr_egress_find(address, kr_egress_v6, sizeof kr_egress_v6 / sizeof kr_egress_v6[0]);
  if (reason != NULL)
    return reason;
  return (address[0] & 0xE0) == 0x20 ? NULL : "reserved";
}

const char *kr_egress_special(const struct sockaddr *address, socklen_t len) {
  if (address == NULL || len < (socklen_t)sizeof(sa_family_t))
    return "unknown";
  /* Copied, since the caller's bytes need not be aligned for the wider types. */
  struct sockaddr_in v4;
  if (address->sa_family == AF_INET && len >= (socklen_t)sizeof v4) {
    memcpy(&v4, address, sizeof v4);
    uint8_t bytes[4];
    memcpy(bytes, &v4.sin_addr, sizeof bytes);
    return kr_egress_judge_v4(bytes);
  }
  struct sockaddr_in6 v6;
  if (address->sa_family == AF_INET6 && len >= (socklen_t)sizeof v6) {
    memcpy(&v6, address, sizeof v6);
    return kr_egress_judge_v6(v6.sin6_addr.s6_addr);
  }
  return "unknown";
}
