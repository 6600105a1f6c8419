/* SPDX-License-Identifier: Apache-2.0 */
/* paths.c - forking, stepping and dropping readings; see paths.h. */
#include "redact/paths.h"

#include "base/assert.h"

#define KR_REDACT_WITHIN_BYTES 64u /* compared of two readings when there is no room */

static uint32_t kr_redact_path_depth(const kr_redact_scan *scan, const kr_redact_path *path) {
  return scan->forms->depth[path->node];
}

/*
 * More readings than there is room for: nobody's ordinary text, but somebody
 * may try. All this one might still become is removed rather than let through:
 * what it has matched, and as much as the longest pattern could still take.
 */
static void kr_redact_path_give_up(kr_redact_scan *scan, const kr_redact_path *path) {
  uint32_t depth = kr_redact_path_depth(scan, path);
  uint64_t start = kr_redact_path_start(scan, path, depth, path->resume);
  uint64_t rest = (uint64_t)(scan->forms->max_len - depth) * KR_REDACT_TOKEN_BYTES;
  kr_redact_scan_cover(scan, start, path->resume + rest, KR_REDACT_NO_VALUE);
}

static bool kr_redact_path_take(kr_redact_scan *scan, kr_redact_path *path,
                                const kr_redact_token *token) {
  uint64_t frontier = 0;
  if (kr_redact_escapes_is_full(&scan->escapes))
    frontier = kr_redact_scan_frontier(scan);
  kr_status status = kr_redact_escapes_add(&scan->escapes, path->escapes, scan->pos, token->len,
                                           path->count, token->n_bytes, frontier, &path->escapes);
  if (status != KR_OK) {
    kr_redact_scan_fail(scan, status);
    return false;
  }
  path->resume = scan->pos + token->len;
  path->ends[token->form - KR_FORM_PERCENT] = path->resume;
  for (size_t i = 0; i < token->n_bytes; i++) {
    path->node = kr_redact_step(scan->forms, path->node, token->bytes[i]);
    path->count++;
    kr_redact_scan_match(scan, path->node, path, path->resume);
    path->node = kr_redact_settle(scan->forms, path->node);
  }
  return true;
}

/*
 * The child of a path differs from the child of the path before it just where
 * their parents do, and from everything that will stand before the children,
 * up to the end of this escape.
 */
void kr_redact_paths_fork(kr_redact_scan *scan, const kr_redact_token *token) {
  uint64_t joint = scan->pos + token->len; /* of the next child to what then stands before it */
  for (size_t i = 0; i < scan->n_paths + 1; i++) {
    kr_redact_path child = {.node = scan->node, .count = scan->pos, .joint = joint};
    if (i > 0)
      child = scan->paths[i - 1];
    joint = child.joint > joint ? child.joint : joint;
    if (!kr_redact_path_take(scan, &child, token))
      return;
    child.joint = joint;
    if (child.node == 0) {
      kr_redact_escapes_undo(&scan->escapes);
      continue;
    }
    KR_ASSERT(scan->n_waiting < KR_REDACT_WAITING);
    scan->waiting[scan->n_waiting++] = child;
    joint = 0;
  }
}

void kr_redact_paths_step(kr_redact_scan *scan, uint8_t byte) {
  const kr_redact_automaton *a = scan->forms;
  for (size_t i = 0; i < scan->n_paths; i++) {
    kr_redact_path *path = &scan->paths[i];
    path->node = kr_redact_step(a, path->node, byte);
    path->count++;
    path->resume = scan->pos + 1;
    kr_redact_scan_match(scan, path->node, path, path->resume);
    path->node = kr_redact_settle(a, path->node);
  }
}

static uint64_t kr_redact_path_first(const kr_redact_scan *scan, const kr_redact_path *path) {
  return kr_redact_path_start(scan, path, kr_redact_path_depth(scan, path), scan->pos);
}

static uint64_t kr_redact_later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/*
 * Drop what neighbours know: only the nearest neighbour can, since it shares
 * the most. Returns the latest joint of those dropped from the end.
 */
static uint64_t kr_redact_paths_prune(kr_redact_scan *scan) {
  size_t n_kept = 0;
  uint64_t joint = 0; /* the latest joint of those dropped since the last one kept */
  for (size_t i = 0; i < scan->n_paths; i++) {
    kr_redact_path path = scan->paths[i];
    path.joint = kr_redact_later(path.joint, joint);
    if (kr_redact_path_first(scan, &path) >= path.joint) {
      joint = path.joint;
      continue;
    }
    while (n_kept > 0 && kr_redact_path_first(scan, &scan->paths[n_kept - 1]) >= path.joint)
      path.joint = kr_redact_later(path.joint, scan->paths[--n_kept].joint);
    scan->paths[n_kept++] = path;
    joint = 0;
  }
  scan->n_paths = n_kept;
  return joint;
}

/* Where the last 1, 2, ... bytes that each path has read start. */
typedef struct kr_redact_starts {
  uint64_t of[KR_REDACT_PATHS][KR_REDACT_WITHIN_BYTES];
} kr_redact_starts;

/*
 * Of two paths in the same state: whatever path will yet match, will other match
 * from as early or earlier? When they are equal in this, the first one stands.
 */
static bool kr_redact_path_is_within(const kr_redact_scan *scan, const kr_redact_starts *starts,
                                     size_t path, size_t other) {
  uint32_t depth = kr_redact_path_depth(scan, &scan->paths[path]);
  bool is_later = path > other;
  for (uint32_t i = 0; i < depth; i++) {
    if (starts->of[other][i] > starts->of[path][i])
      return false;
    is_later = is_later || starts->of[other][i] < starts->of[path][i];
  }
  return is_later;
}

static bool kr_redact_path_is_absorbed(const kr_redact_scan *scan, const kr_redact_starts *starts,
                                       size_t index) {
  uint32_t node = scan->paths[index].node;
  bool is_long = scan->forms->depth[node] > KR_REDACT_WITHIN_BYTES;
  if (is_long || scan->forms->needs_left[node])
    return false; /* not compared */
  for (size_t i = 0; i < scan->n_paths; i++)
    if (i != index && scan->paths[i].node == node &&
        kr_redact_path_is_within(scan, starts, index, i))
      return true;
  return false;
}

/* Is there another path in the same state that starts earlier (or as early, and stands before)? */
static bool kr_redact_path_is_double(const kr_redact_scan *scan, const kr_redact_starts *starts,
                                     size_t index) {
  uint64_t first = kr_redact_path_first(scan, &scan->paths[index]);
  (void)starts;
  for (size_t i = 0; i < scan->n_paths; i++) {
    if (i == index || scan->paths[i].node != scan->paths[index].node)
      continue;
    uint64_t other = kr_redact_path_first(scan, &scan->paths[i]);
    if (other < first || (other == first && i < index))
      return true;
  }
  return false;
}

typedef bool (*kr_redact_path_test)(const kr_redact_scan *scan, const kr_redact_starts *starts,
                                    size_t index);

/* Drop the paths for which test says so, and remove what they have read if asked to. */
static uint64_t kr_redact_paths_drop(kr_redact_scan *scan, const kr_redact_starts *starts,
                                     kr_redact_path_test test, bool is_removed) {
  bool is_dropped[KR_REDACT_PATHS] = {false};
  uint64_t joint = 0;
  size_t n_kept = 0;
  for (size_t i = 0; i < scan->n_paths; i++)
    is_dropped[i] = test(scan, starts, i);
  for (size_t i = 0; i < scan->n_paths; i++) {
    kr_redact_path path = scan->paths[i];
    path.joint = joint = kr_redact_later(path.joint, joint);
    if (is_dropped[i] && is_removed)
      kr_redact_scan_cover(scan, kr_redact_path_first(scan, &path), scan->pos, KR_REDACT_NO_VALUE);
    if (is_dropped[i])
      continue;
    scan->paths[n_kept++] = path;
    joint = 0;
  }
  scan->n_paths = n_kept;
  return joint;
}

/*
 * When there is no room: paths in the same state read the same from here on, so
 * one is enough. First those go that cannot match anything another one will not
 * match too; then, if need be, all but one, and what the others have read by
 * other escapes is removed.
 */
static uint64_t kr_redact_paths_thin(kr_redact_scan *scan) {
  kr_redact_starts starts;
  for (size_t i = 0; i < scan->n_paths; i++) {
    uint32_t depth = kr_redact_path_depth(scan, &scan->paths[i]);
    for (uint32_t len = 1; len <= depth && len <= KR_REDACT_WITHIN_BYTES; len++)
      starts.of[i][len - 1] = kr_redact_path_start(scan, &scan->paths[i], len, scan->pos);
  }
  uint64_t joint = kr_redact_paths_drop(scan, &starts, kr_redact_path_is_absorbed, false);
  if (scan->n_paths < KR_REDACT_PATHS)
    return joint;
  return kr_redact_later(joint, kr_redact_paths_drop(scan, NULL, kr_redact_path_is_double, true));
}

/* Those that waited for pos go behind all others: they differ from them up to here. */
static void kr_redact_paths_arrive(kr_redact_scan *scan) {
  size_t n_kept = 0;
  uint64_t joint = 0; /* to those dropped between the last path and the next */
  for (size_t i = 0; i < scan->n_waiting; i++) {
    kr_redact_path path = scan->waiting[i];
    if (path.resume != scan->pos) {
      scan->waiting[n_kept++] = path;
      continue;
    }
    if (scan->n_paths == KR_REDACT_PATHS)
      joint = kr_redact_later(joint, kr_redact_paths_prune(scan));
    if (scan->n_paths == KR_REDACT_PATHS)
      joint = kr_redact_later(joint, kr_redact_paths_thin(scan));
    path.joint = joint = kr_redact_later(path.joint, joint);
    if (scan->n_paths == KR_REDACT_PATHS) {
      kr_redact_path_give_up(scan, &path);
      continue;
    }
    scan->paths[scan->n_paths++] = path;
    joint = 0;
  }
  scan->n_waiting = n_kept;
}

void kr_redact_paths_settle(kr_redact_scan *scan) {
  if (scan->n_waiting > 0)
    kr_redact_paths_arrive(scan);
  if (scan->n_paths > 0)
    (void)kr_redact_paths_prune(scan);
}
