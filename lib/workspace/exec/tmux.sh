# Opens the tmux session $2, by its exact name, in the folder $3. `attach` ($1) has it on this terminal; `make` leaves
# it alone and says `made` where it is new. A command that follows has a window. Ends with 127 without tmux.
how=$1 s=$2 d=$3
shift 3
# a terminal that nobody knows inside is taken for a common one
[ "$how" = make ] || infocmp "$TERM" >/dev/null 2>&1 || export TERM=xterm-256color
command -v tmux >/dev/null 2>&1 || exit 127
if [ "$how" = make ]; then
  if tmux has-session -t "=$s" 2>/dev/null
  then [ $# = 0 ] || tmux new-window -d -t "=$s:" -c "$d" -- "$@"
  else tmux new-session -d -s "$s" -c "$d" -- "$@" && echo made; fi
  exit
fi
cd -- "$d"
if [ $# != 0 ] && tmux has-session -t "=$s" 2>/dev/null
then tmux new-window -t "=$s:" -c "$d" -- "$@" && set --; fi
exec tmux -u new-session -A -s "$s" -c "$d" -- "$@"
