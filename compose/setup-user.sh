#!/bin/bash
# Runs while the workspace image is built: setup-user <isolation> <uid> <gid> [folder...].
# Makes the user nexus with the uid and gid of the repository's owner, also where the image has that uid already, lets it
# use sudo, and prepares the login shells. Fails loudly: a half-made user would only show at the first login.
# In isolation agent nobody inside is ever root: no sudo, and what an entrypoint of root's would do at the start is done here,
# with the folders of caches, whose volumes take over their owner.
set -euo pipefail
level=$1 uid=$2 gid=$3
shift 3

if ! getent group "$gid" >/dev/null; then groupadd --gid "$gid" nexus; fi
# '*' and not '!': sshd without PAM refuses a locked account even with a key
useradd --non-unique --no-log-init --uid "$uid" --gid "$gid" --create-home --shell /bin/bash --password '*' nexus

# Where the uid is taken, the first line decides which name people see; root keeps its own.
if [ "$uid" != 0 ]; then
  { grep '^nexus:' /etc/passwd; grep -v '^nexus:' /etc/passwd; } > /etc/passwd.new
  cat /etc/passwd.new > /etc/passwd
  rm /etc/passwd.new
fi

# What editors install in the home lies in one place, which a volume takes over with its owner: a rebuild keeps it. What an
# image brings there itself stays. One folder a line: in the volume, and in the home.
while read -r kept place; do
  kept=/var/nexus-editors/$kept place=/home/nexus/$place
  if [ -e "$place" ] || [ -L "$place" ]; then continue; fi
  install -d -o "$uid" -g "$gid" -- /var/nexus-editors "$kept"
  above=/home/nexus
  while [ "$above" != "${place%/*}" ]; do
    rest=${place#"$above"/}
    above=$above/${rest%%/*}
    [ -d "$above" ] || install -d -o "$uid" -g "$gid" -- "$above"
  done
  ln -s -- "$kept" "$place"
  chown -h "$uid:$gid" -- "$place"
done <<'EDITORS'
vscode-server .vscode-server
vscode-server-insiders .vscode-server-insiders
cursor-server .cursor-server
windsurf-server .windsurf-server
vscodium-server .vscodium-server
code-server .local/share/code-server
zed-server .zed_server
zed .local/share/zed
jetbrains .cache/JetBrains/RemoteDev
EDITORS

install -d -m 0755 /etc/sudoers.d /run/nexus
if [ "$level" = agent ]; then
  chown "$uid:$gid" /run/nexus
  rmdir /workspace 2>/dev/null || true
  [ -e /workspace ] || ln -sfn /run/nexus/workspace /workspace
  for folder in "$@"; do
    mkdir -p -- "$folder"
    while :; do
      chown "$uid:$gid" -- "$folder"
      case $folder in /home/nexus/*/*) folder=${folder%/*} ;; *) break ;; esac
    done
  done
else
  printf 'nexus ALL=(ALL:ALL) NOPASSWD:ALL\n' > /etc/sudoers.d/nexus
  chmod 0440 /etc/sudoers.d/nexus
fi
printf '[include]\n\tpath = /etc/nexus/ssh/gitconfig\n' > /etc/gitconfig
# `git config --global --list` fails where there is none
[ -e /home/nexus/.gitconfig ] || [ -L /home/nexus/.gitconfig ] || install -o "$uid" -g "$gid" -m 0644 /dev/null /home/nexus/.gitconfig

# What sshd cannot carry into a session (see entrypoint): PATH, which /etc/profile resets, and values of several lines.
cat > /etc/profile.d/nexus.sh <<'PROFILE'
[ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh
case $- in *i*) [ "$PWD" != "$HOME" ] || [ ! -d "${NEXUS_WS_WORKTREE:-}" ] || cd "$NEXUS_WS_WORKTREE" ;; esac
PROFILE
sed -i '1i [ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh' /etc/bash.bashrc
[ ! -d /etc/zsh ] || printf '[ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh\n' >> /etc/zsh/zshenv

# Where zsh and fish look for their settings when Nexus itself sends a command; fish wants a folder to be there.
mkdir -p /usr/local/lib/nexus/no-dotfiles/fish

# OpenSSH 9.8 and newer punish repeated short connections; behind Docker's NAT all clients share one address. Older ones
# refuse the word, so the program itself is asked.
ssh-keygen -q -t ed25519 -N '' -f /tmp/probe_key
extra=/usr/local/lib/nexus/sshd_config.extra
: > "$extra"
if /usr/sbin/sshd -T -f /dev/null -h /tmp/probe_key -o PerSourcePenalties=no >/dev/null 2>&1; then
  printf 'PerSourcePenalties no\n' > "$extra"
fi
rm /tmp/probe_key /tmp/probe_key.pub
