#!/bin/bash
# Node starts and ends.
exec node -e 0
