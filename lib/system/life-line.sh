# A command under a life line: `$1` is the length of the last command, then its words, then the words of the command.
# The guard reads descriptor 3. The last command runs without the worker variable, by which a repair finds what a
# killed Nexus left and ends it.
n=$1; last=("${@:2:n}"); shift $((n + 1)); set -m
{
  trap '' HUP INT TERM
  read -r word <&3
  [ "$word" = done ] && exit
  kill $$
  [ "$n" = 0 ] || exec env -u NEXUS_WS_WORKER "${last[@]}" 3<&-
} </dev/null >/dev/null 2>&1 &
exec "$@" 3<&-
