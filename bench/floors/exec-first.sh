#!/bin/bash
# By hand: one command over a fresh ssh connection.
exec ssh -F none -i "$BENCH_KEY" -p "$BENCH_PORT" -o "UserKnownHostsFile=$BENCH_FLOOR/known_hosts" -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=QUIET nexus@127.0.0.1 true
