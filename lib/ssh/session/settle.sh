# Before every script for bash inside. Takes away what kept the login shell from the user's dotfiles
# (NO_DOTFILES_VARIABLES in lib/tools/ssh.ts), and brings what sshd cannot carry into a session
# (compose/entrypoint.sh).
SHLVL=1
[ "$ZDOTDIR" != /usr/local/lib/nexus/no-dotfiles ] || unset ZDOTDIR
[ "$XDG_CONFIG_HOME" != /usr/local/lib/nexus/no-dotfiles ] || unset XDG_CONFIG_HOME
[ ! -r /run/nexus/env.sh ] || . /run/nexus/env.sh
