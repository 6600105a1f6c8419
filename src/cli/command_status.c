/* SPDX-License-Identifier: Apache-2.0 */
/* command_status.c - status: the home at a glance. */
#include "cli/cli.h"

#define KR_CLI_FULL_PERCENT 80u

static unsigned kr_cli_used_percent(const kr_store_info *store) {
  if (store->map_bytes < 100)
    return 0;
  return (unsigned)(store->used_bytes / (store->map_bytes / 100));
}

static void kr_cli_put_store_json(const char *name, const kr_store_info *store) {
  (void)printf(",\"%s\":{\"records\":%llu,\"file_bytes\":%llu,\"used_bytes\":%llu,"
               "\"free_bytes\":%llu,\"map_bytes\":%llu,\"used_percent\":%u,\"readers\":%u,"
               "\"max_readers\":%u}",
               name, (unsigned long long)store->records, (unsigned long long)store->file_bytes,
               (unsigned long long)store->used_bytes, (unsigned long long)store->free_bytes,
               (unsigned long long)store->map_bytes, kr_cli_used_percent(store),
               (unsigned)store->readers, (unsigned)store->max_readers);
}

static void kr_cli_put_store(const char *name, const kr_store_info *store) {
  (void)printf("%-14s %llu records, file %llu bytes, %llu of them free, %u %% of the map used, "
               "%u of %u readers\n",
               name, (unsigned long long)store->records, (unsigned long long)store->file_bytes,
               (unsigned long long)store->free_bytes, kr_cli_used_percent(store),
               (unsigned)store->readers, (unsigned)store->max_readers);
}

static void kr_cli_show_status_json(const char *home, const kr_home_info *info) {
  (void)fputs("{\"home\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(home));
  (void)printf(",\"store\":\"%s\",\"format\":%u,\"key_needed\":", info->store,
               (unsigned)info->format);
  kr_cli_put_json(stdout, kr_cli_str(info->key_needed));
  (void)printf(",\"has_key\":%s", info->has_key ? "true" : "false");
  if (!info->has_key && info->key_error.message[0] != '\0') {
    (void)fputs(",\"key_problem\":", stdout);
    kr_cli_put_json(stdout, kr_cli_str(info->key_error.message));
  }
  (void)printf(",\"organizations\":%zu,\"secrets\":%zu,\"generation\":%llu,\"events\":%llu,"
               "\"pending\":%llu,\"remains\":%u",
               info->n_organizations, info->n_secrets, (unsigned long long)info->generation,
               (unsigned long long)info->events, (unsigned long long)info->pending,
               info->n_remains);
  kr_cli_put_store_json("vault", &info->vault);
  kr_cli_put_store_json("log", &info->log);
  (void)printf(",\"lmdb\":\"%s\",\"lmdb_suspect\":%s}\n", info->lmdb,
               info->is_lmdb_suspect ? "true" : "false");
}

static void kr_cli_show_key(const kr_home_info *info) {
  (void)fputs("key needed     ", stdout);
  kr_cli_put(stdout, kr_cli_str(info->key_needed));
  if (info->has_key) {
    (void)fputs(", which is there\n", stdout);
    return;
  }
  (void)fputs("\nkey            ", stdout);
  kr_cli_put(stdout, kr_cli_str(info->key_error.message));
  (void)fputs("; what follows is not verified\n", stdout);
}

static void kr_cli_show_status(const char *home, const kr_home_info *info) {
  (void)fputs("home           ", stdout);
  kr_cli_put(stdout, kr_cli_str(home));
  (void)printf("\nstore          %s\nformat         %u\n", info->store, (unsigned)info->format);
  kr_cli_show_key(info);
  (void)printf("organizations  %zu\nsecrets        %zu\ngeneration     %llu\nlast event     %llu\n"
               "pending runs   %llu\n",
               info->n_organizations, info->n_secrets, (unsigned long long)info->generation,
               (unsigned long long)info->events, (unsigned long long)info->pending);
  kr_cli_put_store("vault", &info->vault);
  kr_cli_put_store("event log", &info->log);
  (void)printf("LMDB           %s\n", info->lmdb);
}

static void kr_cli_warn_of_status(const kr_cli *cli, const kr_home_info *info) {
  if (info->is_lmdb_suspect)
    kr_cli_warn(cli, "the locks of LMDB 0.9.26 to 0.9.31 are known to fail: use another version");
  if (info->n_remains > 0)
    kr_cli_warn(cli, "a purge was interrupted and left a directory in the home that may hold "
                     "deleted values: run `krosyn purge` again");
  if (kr_cli_used_percent(&info->vault) >= KR_CLI_FULL_PERCENT ||
      kr_cli_used_percent(&info->log) >= KR_CLI_FULL_PERCENT)
    kr_cli_warn(cli, "a store is nearly full; it grows by itself when nobody is reading");
}

int kr_cli_run_status(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_home_info info;
  kr_status status = kr_cli_resolve(cli, &home, &error);
  if (status == KR_OK && home.options.home == NULL)
    status = kr_cli_no_home(&error);
  if (status == KR_OK)
    status = kr_home_status(&home.options, &info, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json)
    kr_cli_show_status_json(home.options.home, &info);
  else
    kr_cli_show_status(home.options.home, &info);
  kr_cli_warn_of_status(cli, &info);
  return KR_CLI_EXIT_DONE;
}
