# Sends the signal $2 (without SIG) to every process of the command with the token $1; ends with 1 where there is none.
found=$(grep -lszx "NEXUS_WS_EXEC=$1" /proc/[0-9]*/environ)
[ -n "$found" ] || exit 1
for p in $found; do
  p=${p%/environ}
  kill -s "$2" "${p#/proc/}"
done 2>/dev/null
true
