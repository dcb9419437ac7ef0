#!/bin/bash
# By hand: stack, worktree and branch are gone.
set -euo pipefail
docker compose -f "$BENCH_FLOOR/docker-compose.yml" down -v -t 3 >/dev/null 2>&1
git -C "$BENCH_REPO" worktree remove --force "$BENCH_REPO/.worktree/floor"
git -C "$BENCH_REPO" branch -q -D floor/x
