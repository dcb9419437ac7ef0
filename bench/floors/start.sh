#!/bin/bash
# By hand: the stopped stack runs again and takes one login.
set -euo pipefail
docker compose -f "$BENCH_FLOOR/docker-compose.yml" start >/dev/null 2>&1
until ssh -F none -i "$BENCH_KEY" -p "$BENCH_PORT" -o "UserKnownHostsFile=$BENCH_FLOOR/known_hosts" -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=QUIET nexus@127.0.0.1 true; do sleep 0.01; done
