#!/bin/bash
# By hand: a branch with its worktree, its running stack, and the first successful ssh.
set -euo pipefail
git -C "$BENCH_REPO" worktree add --quiet -b floor/x "$BENCH_REPO/.worktree/floor"
docker compose -f "$BENCH_FLOOR/docker-compose.yml" up -d --quiet-pull >/dev/null 2>&1
until ssh -F none -i "$BENCH_KEY" -p "$BENCH_PORT" -o "UserKnownHostsFile=$BENCH_FLOOR/known_hosts" -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=QUIET nexus@127.0.0.1 true; do sleep 0.01; done
