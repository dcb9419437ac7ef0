# Sets the terminal of the command with the token $1 to $2 columns and $3 rows. The terminal is the fifth field behind
# the program's name in `stat`, as a device number; a redirected stdin does not hide it.
columns=$2 rows=$3
for p in $(grep -lszx "NEXUS_WS_EXEC=$1" /proc/[0-9]*/environ); do
  s=$(cat "${p%/environ}/stat")
  set -- ${s##*) }
  stty cols "$columns" rows "$rows" < "/dev/pts/$(( ($5 & 255) | (($5 >> 12) & 1048320) ))" && break
done 2>/dev/null
true
