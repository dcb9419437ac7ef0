#!/bin/bash
# By hand: the stack is stopped.
exec docker compose -f "$BENCH_FLOOR/docker-compose.yml" stop >/dev/null 2>&1
