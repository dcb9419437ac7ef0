#!/bin/bash
# By hand: a branch with its worktree and its ignored .env, its own compose files running and healthy with one more service, and the first ssh.
set -euo pipefail
git -C "$BENCH_REPO" worktree add --quiet -b floor/x "$BENCH_REPO/.worktree/floor"
cp -a "$BENCH_REPO/.env" "$BENCH_REPO/.worktree/floor/.env"
docker compose -f "$BENCH_FLOOR/docker-compose.yml" up -d --wait --quiet-pull >/dev/null 2>&1
until ssh -F none -i "$BENCH_KEY" -p "$BENCH_PORT" -o "UserKnownHostsFile=$BENCH_FLOOR/known_hosts" -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=QUIET nexus@127.0.0.1 true; do sleep 0.01; done
