#!/bin/bash
# Main process of a workspace container: lets /workspace lead to the worktree, gives ssh sessions the environment of this
# process, and becomes sshd. It keeps no state: everything is derived again at each start.
set -euo pipefail
umask 022
mkdir -p /run/sshd /run/nexus

# A repository that itself lies under /workspace is mounted there already.
if [ -L /workspace ] || [ ! -e /workspace ]; then ln -sfn -- "$NEXUS_WS_WORKTREE" /workspace; fi

# sshd starts sessions with an empty environment. One SetEnv line carries ours (a second one would be ignored); it cannot
# hold a newline, and /etc/profile resets PATH, so those two go through a file that the shells read.
quote() { local text=${1//\\/\\\\}; printf '"%s"' "${text//\"/\\\"}"; }
setenv='' snippet=''
while IFS= read -r -d '' pair; do
  name=${pair%%=*} value=${pair#*=}
  case $name in
    HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|MAIL|TERM|_|SSH_*|BASH_*) continue ;;
  esac
  case $value in
    *$'\n'*) ;;
    *) setenv+=" $(quote "$pair")" ;;
  esac
  if [ "$name" = PATH ] || [[ $value == *$'\n'* && $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then
    snippet+="export $name=${value@Q}"$'\n'
  fi
done < /proc/self/environ
printf '%s' "$snippet" > /run/nexus/env.sh
{
  cat /etc/nexus/ssh/sshd_config /usr/local/lib/nexus/sshd_config.extra
  [ -z "$setenv" ] || printf 'SetEnv%s\n' "$setenv"
} > /run/nexus/sshd_config
exec /usr/sbin/sshd -D -e -f /run/nexus/sshd_config
