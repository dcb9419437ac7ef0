#!/bin/bash
# By hand: Node starts, Docker lists.
set -e
node -e 0
docker ps -a >/dev/null
