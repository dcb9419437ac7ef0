#!/bin/bash
# Main process of the gate of a guarded workspace: a proxy for the way out (squid) and a relay for its ports (nginx). Both are
# Debian's. HUP reads the proxy's configuration again; USR2 starts the proxy anew, which ends the connections that it has open.
set -u
nginx -c /etc/nexus-gate/nginx.conf -e stderr &
relay=$! proxy=''
start_proxy() { squid -N -f /etc/nexus-gate/squid.conf & proxy=$!; }
start_proxy
trap 'kill -HUP "$proxy"' HUP
trap 'kill -KILL "$proxy"; wait "$proxy" 2>/dev/null; start_proxy' USR2
trap 'kill -KILL "$relay" "$proxy"; exit 0' TERM INT
# a trap ends the wait as the end of a child does
while kill -0 "$relay" 2>/dev/null && kill -0 "$proxy" 2>/dev/null; do wait -n; done
echo 'nexus: the relay or the proxy of the gate ended' >&2
exit 1
