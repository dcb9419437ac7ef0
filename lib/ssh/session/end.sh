# Ends the command with the token $1: asks, waits $2 tenths of a second until nothing of it is left, and then does not
# ask.
token=$1
list() { grep -lszx "NEXUS_WS_EXEC=$token" /proc/[0-9]*/environ; }
send() {
  local p
  for p in $(list); do
    p=${p%/environ}
    kill -s "$1" "${p#/proc/}"
  done 2>/dev/null
}
send HUP
send TERM
for _ in $(seq "$2"); do
  list | grep -q . || exit 0
  sleep 0.1
done
send KILL
true
