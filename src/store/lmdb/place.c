/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - where a store may lie. LMDB needs a local file system: on network
 * and FUSE ones the shared map and the locks do not hold what LMDB relies on,
 * and the data is damaged silently. The numbers are f_type of statfs(2).
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct {
  uint32_t type;
  const char *name;
} kr_store_filesystems[] = {
    {0x00006969, "NFS"},      {0x0000517B, "SMB"},         {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},     {0x65735546, "FUSE"},        {0x01021997, "9P"},
    {0x00C36400, "Ceph"},     {0x5346414F, "AFS"},         {0x6B414653, "AFS"},
    {0x73757245, "Coda"},     {0x0000564C, "NCP"},         {0x0BD00BD0, "Lustre"},
    {0x7461636F, "OCFS2"},    {0x01161970, "GFS2"},        {0x47504653, "GPFS"},
    {0x786F4256, "vboxsf"},   {0xBACBACBC, "VMware HGFS"}, {0x19830326, "BeeGFS"},
    {0x20030528, "OrangeFS"},
};

const char *kr_store_lmdb_refused_filesystem(uint64_t type) {
  for (size_t i = 0; i < sizeof kr_store_filesystems / sizeof kr_store_filesystems[0]; i++)
    /* f_type is signed in places: only its low 32 bits are the number. */
    if ((uint32_t)type == kr_store_filesystems[i].type)
      return kr_store_filesystems[i].name;
  return NULL;
}

kr_status kr_store_lmdb_check_filesystem(const char *directory, kr_error *reterr) {
  struct statfs info;
  if (statfs(directory, &info) != 0)
    return kr_store_lmdb_fail(directory, errno, "open", reterr);
  const char *name = kr_store_lmdb_refused_filesystem((uint64_t)info.f_type);
  if (name == NULL)
    return KR_OK;
  kr_status status = kr_fail(
      reterr, KR_REFUSED, "the store %s is on a file system that damages it: %s", directory, name);
  kr_error_hint(reterr, "put it on a local disk (ext4, xfs, btrfs, zfs)");
  return status;
}

static bool kr_store_lmdb_is_empty(const char *directory) {
  DIR *entries = opendir(directory);
  if (entries == NULL)
    return false;
  bool is_empty = true;
  for (struct dirent *entry = readdir(entries); entry != NULL && is_empty; entry = readdir(entries))
    is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
  (void)closedir(entries);
  return is_empty;
}

kr_status kr_store_lmdb_exists(const char *directory, kr_error *reterr) {
  kr_status status =
      kr_fail(reterr, KR_EXISTS, "cannot create the store %s: something is there", directory);
  kr_error_hint(reterr, "name another directory; what is there is never overwritten");
  return status;
}

kr_status kr_store_lmdb_make_directory(const char *directory, bool *ret_is_made, kr_error *reterr) {
  if (mkdir(directory, 0700) == 0) {
    *ret_is_made = true;
    return KR_OK;
  }
  if (errno != EEXIST)
    return kr_store_lmdb_fail(directory, errno, "create", reterr);
  if (!kr_store_lmdb_is_empty(directory))
    return kr_store_lmdb_exists(directory, reterr);
  if (chmod(directory, 0700) != 0)
    return kr_store_lmdb_fail(directory, errno, "create", reterr);
  *ret_is_made = false;
  return KR_OK;
}

static int kr_store_lmdb_sync_one(const char *directory) {
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return errno;
  int code = fsync(fd) == 0 ? 0 : errno;
  (void)close(fd);
  return code;
}

kr_status kr_store_lmdb_sync_directory(const char *directory, kr_error *reterr) {
  char above[KR_STORE_LMDB_PATH_BYTES + 8];
  (void)snprintf(above, sizeof above, "%s/..", directory);
  int code = kr_store_lmdb_sync_one(directory);
  if (code == 0)
    code = kr_store_lmdb_sync_one(above);
  /* One may write into a directory without being allowed to read it: then no fsync. */
  if (code != 0 && code != EACCES)
    return kr_store_lmdb_fail(directory, code, "create", reterr);
  return KR_OK;
}
