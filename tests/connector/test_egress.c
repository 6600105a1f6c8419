/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_egress.c - every special range by its first and last address and the
 * neighbours just outside, and every way to carry an IPv4 address in IPv6.
 */
#include "connector/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/un.h>

typedef struct row {
  const char *address;
  const char *reason; /* NULL: public */
} row;

static row rows[] = {
    {"0.0.0.0", "this network"},
    {"0.255.255.255", "this network"},
    {"1.0.0.0", NULL},
    {"9.255.255.255", NULL},
    {"10.0.0.0", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", NULL},
    {"100.63.255.255", NULL},
    {"100.64.0.0", "shared"},
    {"100.127.255.255", "shared"},
    {"100.128.0.0", NULL},
    {"126.255.255.255", NULL},
    {"127.0.0.0", "loopback"},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", NULL},
    {"169.253.255.255", NULL},
    {"169.254.0.0", "link-local"},
    {"169.254.169.254", "link-local"},
    {"169.254.255.255", "link-local"},
    {"169.255.0.0", NULL},
    {"172.15.255.255", NULL},
    {"172.16.0.0", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", NULL},
    {"191.255.255.255", NULL},
    {"192.0.0.0", "protocol assignments"},
    {"192.0.0.255", "protocol assignments"},
    {"192.0.1.0", NULL},
    {"192.0.1.255", NULL},
    {"192.0.2.0", "documentation"},
    {"192.0.2.255", "documentation"},
    {"192.0.3.0", NULL},
    {"192.88.98.255", NULL},
    {"192.88.99.0", "6to4 relay"},
    {"192.88.99.255", "6to4 relay"},
    {"192.88.100.0", NULL},
    {"192.167.255.255", NULL},
    {"192.168.0.0", "private"},
    {"192.168.255.255", "private"},
    {"192.169.0.0", NULL},
    {"198.17.255.255", NULL},
    {"198.18.0.0", "benchmarking"},
    {"198.19.255.255", "benchmarking"},
    {"198.20.0.0", NULL},
    {"198.51.99.255", NULL},
    {"198.51.100.0", "documentation"},
    {"198.51.100.255", "documentation"},
    {"198.51.101.0", NULL},
    {"203.0.112.255", NULL},
    {"203.0.113.0", "documentation"},
    {"203.0.113.255", "documentation"},
    {"203.0.114.0", NULL},
    {"223.255.255.255", NULL},
    {"224.0.0.0", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.0", "reserved"},
    {"255.255.255.254", "reserved"},
    {"255.255.255.255", "broadcast"},
    {"8.8.8.8", NULL},

    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "reserved"},
    {"::127.0.0.1", "reserved"},
    {"::8.8.8.8", "reserved"},
    {"::ffff:0:127.0.0.1", "reserved"},
    {"::ffff:127.0.0.1", "loopback"},
    {"::ffff:10.0.0.0", "private"},
    {"::ffff:169.254.169.254", "link-local"},
    {"::ffff:0.0.0.0", "this network"},
    {"::ffff:255.255.255.255", "broadcast"},
    {"::ffff:8.8.8.8", NULL},
    {"::fffe:8.8.8.8", "reserved"},
    {"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"64:ff9b::", "this network"},
    {"64:ff9b::127.0.0.1", "loopback"},
    {"64:ff9b::192.168.0.1", "private"},
    {"64:ff9b::8.8.8.8", NULL},
    {"64:ff9b::255.255.255.255", "broadcast"},
    {"64:ff9b::1:0:0", "reserved"},
    {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"64:ff9b:1::", "local translation"},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local translation"},
    {"64:ff9b:2::", "reserved"},
    {"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"100::", "discard"},
    {"100::ffff:ffff:ffff:ffff", "discard"},
    {"100:0:0:1::", "reserved"},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2000::", NULL},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001::", "protocol assignments"},
    {"2001:0:5ef5:79fb:0:0:0:1", "protocol assignments"},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments"},
    {"2001:200::", NULL},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2001:db8::", "documentation"},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"2001:db9::", NULL},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"2002::", "this network"},
    {"2002:7f00:1::1", "loopback"},
    {"2002:a00:1::", "private"},
    {"2002:a9fe:a9fe::", "link-local"},
    {"2002:808:808::1", NULL},
    {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "broadcast"},
    {"2003::", NULL},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"3fff::", "documentation"},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"3fff:1000::", NULL},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {"4000::", "reserved"},
    {"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"5f00::", "segment routing"},
    {"5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"},
    {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fc00::", "private"},
    {"fd00:ec2::254", "private"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"fe00::", "reserved"},
    {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"fe80::", "link-local"},
    {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
    {"fec0::", "site-local"},
    {"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
    {"ff00::", "multicast"},
    {"ff02::1", "multicast"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
    {"2606:4700:4700::1111", NULL},
    {"2a00:1450:4001:800::200e", NULL},
};

static const char *judge(const char *text) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
    return kr_egress_special((const struct sockaddr *)&v4, sizeof v4);
  assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
  return kr_egress_special((const struct sockaddr *)&v6, sizeof v6);
}

static void run_row(void **state) {
  const row *r = *state;
  const char *reason = judge(r->address);
  if (r->reason == NULL)
    assert_null(reason);
  else
    assert_string_equal(reason == NULL ? "public" : reason, r->reason);
}

/* What cannot be read as an address must never pass as a public one. */
static void unknown_is_special(void **state) {
  (void)state;
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  assert_int_equal(inet_pton(AF_INET, "8.8.8.8", &v4.sin_addr), 1);
  assert_null(kr_egress_special((const struct sockaddr *)&v4, sizeof v4));
  assert_string_equal(kr_egress_special((const struct sockaddr *)&v4, sizeof v4 - 1), "unknown");
  assert_string_equal(kr_egress_special((const struct sockaddr *)&v4, 0), "unknown");
  assert_string_equal(kr_egress_special(NULL, 0), "unknown");
  v4.sin_family = AF_INET6;
  assert_string_equal(kr_egress_special((const struct sockaddr *)&v4, sizeof v4), "unknown");
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  assert_string_equal(kr_egress_special((const struct sockaddr *)&local, sizeof local), "unknown");
}

#define N_ROWS (sizeof rows / sizeof rows[0])

int main(void) {
  struct CMUnitTest tests[N_ROWS + 1];
  for (size_t i = 0; i < N_ROWS; i++)
    tests[i] = (struct CMUnitTest){
        .name = rows[i].address, .test_func = run_row, .initial_state = (void *)&rows[i]};
  tests[N_ROWS] = (struct CMUnitTest)cmocka_unit_test(unknown_is_special);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
