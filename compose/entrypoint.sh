#!/bin/bash
# Main process of a workspace container: lets /workspace lead to the worktree, gives ssh sessions the environment of this
# process, and becomes sshd. It keeps no state: everything is derived again at each start.
set -euo pipefail
umask 022

# In isolation agent this is not root, and the image has all that only root can make.
if [ "$(id -u)" = 0 ]; then mkdir -p /run/sshd /run/nexus; link=/workspace; else link=/run/nexus/workspace; fi
# A repository that itself lies under /workspace is mounted there already.
if [ -L "$link" ] || [ ! -e "$link" ]; then ln -sfn -- "$NEXUS_WS_WORKTREE" "$link"; fi

# Volumes of caches begin as root's, and so do the folders above them that Docker makes.
IFS=: read -r -a caches <<< "${NEXUS_WS_CACHES:-}"
[ "$(id -u)" = 0 ] || caches=()
for folder in "${caches[@]}"; do
  while [ "$folder" != /home/nexus ] && [ "$folder" != / ]; do
    if [ "$(stat -c %u -- "$folder")" = 0 ]; then chown nexus: -- "$folder"; fi
    case $folder in /home/nexus/*) folder=${folder%/*} ;; *) break ;; esac
  done
done

# Nothing runs here yet: what servers of editors noted of their processes, in a volume that outlives them, would mislead clients.
shopt -s nullglob
stale=(/var/nexus-editors/*/{.*.pid,.*.token,*.sock,cli/servers/*/pid.txt} /var/nexus-editors/zed/server_state/*/{*.pid,*.sock})
shopt -u nullglob
[ ${#stale[@]} = 0 ] || rm -f -- "${stale[@]}"

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
# The agent that a login brings has a path of its own each time. A fixed one leads to that of whoever came last with a terminal, so
# that tmux and editors keep it. A command alone, which is over soon, takes it only from one that is gone; so does every other
# shell when the login that it led to has ended. A shell within a shell, which may have begun an agent, is left as it is.
if [[ $(< /etc/nexus/ssh/sshd_config) == *$'\n'AllowAgentForwarding\ yes* ]]; then
  if [ ! -d /run/nexus/agent ]; then
    install -d -m 0700 /run/nexus/agent
    chown nexus: /run/nexus/agent
    ln -sfn agent/socket /run/nexus/agent.sock
  fi
  snippet+='
if [ -z "${SSH_AUTH_SOCK:-}" ]; then
  export SSH_AUTH_SOCK=/run/nexus/agent.sock
elif [ -n "${SSH_CONNECTION:-}" ] && [ "${SHLVL:-1}" -le 1 ] && [ "$SSH_AUTH_SOCK" != /run/nexus/agent.sock ]; then
  if [ -n "${SSH_TTY:-}" ] || [ ! -S /run/nexus/agent.sock ]; then
    ln -sfn -- "$SSH_AUTH_SOCK" /run/nexus/agent/socket 2>/dev/null
  fi
  [ ! -S /run/nexus/agent.sock ] || export SSH_AUTH_SOCK=/run/nexus/agent.sock
fi
if [ -n "${BASH_VERSION:-}" ] && [ ! -S /run/nexus/agent.sock ]; then
  for nexus_agent in /tmp/ssh-*/agent.* "${HOME:-/}"/.ssh/agent/s.*; do
    [ ! -S "$nexus_agent" ] || [ ! -O "$nexus_agent" ] || { ln -sfn -- "$nexus_agent" /run/nexus/agent/socket 2>/dev/null; break; }
  done
  unset nexus_agent
fi
'
fi
printf '%s' "$snippet" > /run/nexus/env.sh
{
  cat /etc/nexus/ssh/sshd_config /usr/local/lib/nexus/sshd_config.extra
  [ -z "$setenv" ] || printf 'SetEnv%s\n' "$setenv"
} > /run/nexus/sshd_config
[ $# -gt 0 ] || exec /usr/sbin/sshd -D -e -f /run/nexus/sshd_config

# The project's own image has a command, given as our arguments: it runs beside sshd, as the image's own user where we are root
# and can become that. When it ends, the workspace stays: a command that fails is what somebody comes in to look at.
run_app() {
  local user=${NEXUS_APP_USER%%:*} group=''
  case ${NEXUS_APP_USER:-} in *:*) group=${NEXUS_APP_USER#*:} ;; esac
  cd -- "${NEXUS_APP_CWD:-/}"
  if [ "$(id -u)" != 0 ] || [ -z "$user" ] || [ "$user" = root ] || [ "$user" = 0 ]; then exec "$@"; fi
  local uid gid groups=--clear-groups entry
  entry=$(getent passwd "$user" || true)
  uid=$user gid=${group:-0}
  if [ -n "$entry" ]; then
    uid=$(cut -d: -f3 <<< "$entry") gid=${group:-$(cut -d: -f4 <<< "$entry")} groups=--init-groups
    HOME=$(cut -d: -f6 <<< "$entry")
    export HOME
  fi
  case $gid in *[!0-9]*) gid=$(getent group "$gid" | cut -d: -f3) ;; esac
  exec setpriv --reuid "$uid" --regid "$gid" "$groups" -- "$@"
}
/usr/sbin/sshd -D -e -f /run/nexus/sshd_config &
sshd=$!
(run_app "$@") &
app=$! stopping=''
trap 'stopping=1; kill -TERM "$app" "$sshd" 2>/dev/null || true' TERM INT
code=0
wait "$app" || code=$?
if [ -n "$stopping" ]; then
  wait "$app" || true
else
  printf 'nexus: the command of the image ended with code %s; the workspace stays up\n' "$code" >&2
  wait "$sshd" || true
fi
