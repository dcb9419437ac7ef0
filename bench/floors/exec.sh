#!/bin/bash
# By hand: one command in the running container.
exec docker exec "$BENCH_CONTAINER" true
