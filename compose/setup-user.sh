#!/bin/bash
# Runs while the workspace image is built: setup-user <uid> <gid>.
# Makes the user nexus with the uid and gid of the repository's owner, also where the image has that uid already, lets it
# use sudo, and prepares the login shells. Fails loudly: a half-made user would only show at the first login.
set -euo pipefail
uid=$1 gid=$2

if ! getent group "$gid" >/dev/null; then groupadd --gid "$gid" nexus; fi
# '*' and not '!': sshd without PAM refuses a locked account even with a key
useradd --non-unique --no-log-init --uid "$uid" --gid "$gid" --create-home --shell /bin/bash --password '*' nexus

# Where the uid is taken, the first line decides which name people see; root keeps its own.
if [ "$uid" != 0 ]; then
  { grep '^nexus:' /etc/passwd; grep -v '^nexus:' /etc/passwd; } > /etc/passwd.new
  cat /etc/passwd.new > /etc/passwd
  rm /etc/passwd.new
fi

install -d -m 0755 /etc/sudoers.d /run/nexus
printf 'nexus ALL=(ALL:ALL) NOPASSWD:ALL\n' > /etc/sudoers.d/nexus
chmod 0440 /etc/sudoers.d/nexus
printf '[include]\n\tpath = /etc/nexus/ssh/gitconfig\n' > /etc/gitconfig

# What sshd cannot carry into a session (see entrypoint): PATH, which /etc/profile resets, and values of several lines.
cat > /etc/profile.d/nexus.sh <<'PROFILE'
[ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh
case $- in *i*) [ "$PWD" != "$HOME" ] || [ ! -d "${NEXUS_WS_WORKTREE:-}" ] || cd "$NEXUS_WS_WORKTREE" ;; esac
PROFILE
sed -i '1i [ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh' /etc/bash.bashrc

# OpenSSH 9.8 and newer punish repeated short connections; behind Docker's NAT all clients share one address. Older ones
# refuse the word, so the program itself is asked.
ssh-keygen -q -t ed25519 -N '' -f /tmp/probe_key
extra=/usr/local/lib/nexus/sshd_config.extra
: > "$extra"
if /usr/sbin/sshd -T -f /dev/null -h /tmp/probe_key -o PerSourcePenalties=no >/dev/null 2>&1; then
  printf 'PerSourcePenalties no\n' > "$extra"
fi
rm /tmp/probe_key /tmp/probe_key.pub
