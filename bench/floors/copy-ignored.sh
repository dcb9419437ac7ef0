#!/bin/bash
# By hand: the ignored files are copied, and nothing else.
exec cp -a --reflink=auto "$BENCH_REPO/node_modules" "$(mktemp -d -p "$BENCH_FLOOR")"
