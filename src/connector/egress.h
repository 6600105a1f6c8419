/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress.h - which addresses a connector may reach. One table of special
 * ranges (RFC 6890 and its registry), each with a test.
 */
#ifndef KR_CONNECTOR_EGRESS_H
#define KR_CONNECTOR_EGRESS_H

#include <krosyn/types.h>
#include <sys/socket.h>

/**
 * Why an address is special: "loopback", "private", "link-local", "shared",
 * "multicast", ...; NULL for a public one. IPv4 inside IPv6 (mapped, NAT64,
 * 6to4) is judged by its IPv4 part; unknown families are special ("unknown").
 */
const char *kr_egress_special(const struct sockaddr *address, socklen_t len);

#endif
