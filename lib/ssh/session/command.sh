# Runs a command in the folder $1, with the token $2 in its environment, by which it is found again. $3 is shell text
# that tells how it ended; it is empty at a terminal, whose end is the end of all that hold it. $4 is said where
# variables should have come and did not; it is empty without any. $5 are words for stty, and $6 is printed once the
# terminal is as they say. The words of the command follow. No variable is set here, as it might be one of the
# command's.
#
# The command is a child of this shell, not in its place: a shell tells 128 + n for a child ended by a signal, where
# ssh alone would say 255 for everything. The shell's own stderr is closed for its "Killed" remarks; the child's is
# not.
if [ -n "$6" ]; then
  stty $5
  printf %s "$6"
fi
cd "$1" || exit 125
if [ -n "$4" ]; then
  [ -n "$NEXUS_WS_ENV" ] || { echo "$4" >&2; exit 125; }
  eval "$NEXUS_WS_ENV"
  unset NEXUS_WS_ENV
fi
if [ -z "$3" ]; then
  # Ctrl-C is for this shell too, which would end before it could tell the command's code
  trap : INT QUIT
  NEXUS_WS_EXEC=$2 "${@:7}"
  exit
fi
exec 3>&2 2>/dev/null
NEXUS_WS_EXEC=$2 "${@:7}" 2>&3 3>&-
eval "$3"
