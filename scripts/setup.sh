#!/usr/bin/env bash
# Owns what Nexus needs of this machine: Docker engine, compose and buildx plugins, OpenSSH client, a running engine, and
# the base image. Names what is missing before it changes anything; silent and quick when all is there.
#
#   setup.sh            asks on a terminal; CI=true or YES=1 goes ahead; NEXUS_NO_INSTALL=1 prints the commands and stops
#   setup.sh --check    only reports what is missing
#   setup.sh -v         says one line when all is there
#
# Packages come from the sources this machine is configured for: no mirror or registry is named here. Talks on stderr.
# Exit codes: 0 all there, 5 a prerequisite is missing or was refused, 1 something failed, 2 wrong usage.
# shellcheck disable=SC2016 # backticks in hints are text
set -euo pipefail
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # an ordinary Debian user has no sbin

readonly base_image=debian:bookworm-slim compose_minimum=2.24.4
readonly socket=/var/run/docker.sock engine_log=/var/log/nexus-dockerd.log policy=/usr/sbin/policy-rc.d
base_image_script=$(dirname "${BASH_SOURCE[0]}")/../compose/base-image.sh
user=$(id -un)
as_root='' # before each command of the plan
[ "$user" = root ] || as_root='sudo '
missing=() packages=() plan=()
engine='' log='' locked='' agreed='' policy_is_ours=''

say() { printf '%s\n' "$*" >&2; }
root() { if [ "$user" = root ]; then "$@"; else sudo "$@"; fi; }
die() { # CODE MESSAGE [HINT]
  say "error: $2"
  [ -z "${3:-}" ] || say "  $3"
  exit "$1"
}
die_with_log() { # CODE LOG MESSAGE
  say "the last lines of $2:"
  { root tail -n 200 "$2" 2>/dev/null | grep -v level=info | tail -n 12 | sed 's/^/  | /' >&2; } || true
  die "$1" "$3"
}
cleanup() { [ -z "$policy_is_ours" ] || root rm -f "$policy"; }
trap cleanup EXIT

# ---- what is there ----

has() { command -v "$1" >/dev/null 2>&1; }
has_ssh() { has ssh && has ssh-keygen && has scp && has sftp; }
has_systemd() { [ -d /run/systemd/system ]; }
has_image() { timeout 10 docker image inspect --format . "$base_image" >/dev/null 2>&1; }
compose_version() { docker compose version --short 2>/dev/null || true; }
new_enough() { [ -n "$1" ] && printf '%s\n' "$compose_minimum" "${1#v}" | sort -CV; }

# Looked for as a file first: asking docker costs as much as all the other checks together.
has_buildx() {
  local folder
  for folder in "${DOCKER_CONFIG:-${HOME:-}/.docker}" /usr/local/lib/docker /usr/local/libexec/docker /usr/lib/docker /usr/libexec/docker; do
    [ ! -x "$folder/cli-plugins/docker-buildx" ] || return 0
  done
  docker buildx version >/dev/null 2>&1
}

all_there() {
  local version
  has docker && has_ssh && has_buildx && has_image || return 1 # an image that is found is an engine that answers
  version=$(compose_version)
  new_enough "$version" || return 1
  [ -z "${1:-}" ] || say "all there: Docker engine, compose $version, OpenSSH client, $base_image"
}

# Sets engine: up | denied (not for this user) | silent (installed) | absent | unknown (a socket, but no client to ask it)
probe_engine() {
  local said endpoint
  if ! has docker; then
    if [ -S "$socket" ] || [ -n "${DOCKER_HOST:-}" ]; then engine=unknown; elif has dockerd; then engine=silent; else engine=absent; fi
    return
  fi
  engine=up
  ! said=$(timeout 10 docker version --format '{{.Server.Version}}' 2>&1) || return 0
  endpoint=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
  case ${endpoint:-unix://$socket} in
    unix:///var/run/docker.sock | unix:///run/docker.sock) ;;
    *) die 5 "the Docker engine at $endpoint does not answer" "To use this machine's own, run \`unset DOCKER_HOST; docker context use default\`" ;;
  esac
  if [[ $said == *'permission denied'* ]]; then engine=denied; elif has dockerd; then engine=silent; else engine=absent; fi
}

find_missing() {
  missing=()
  probe_engine
  [ "$engine" != absent ] || missing+=('Docker engine')
  has docker || missing+=('Docker client')
  new_enough "$(compose_version)" || missing+=("compose plugin >= $compose_minimum")
  has_buildx || missing+=('buildx plugin')
  has_ssh || missing+=('OpenSSH client')
  [ "$engine" != denied ] || missing+=("Docker access for $user")
}

# ---- how to get it ----

# "URI RELEASE CODENAME SOURCE-FILE:LINE" of every binary package source of this machine; $(..) is apt's own notation
apt_sources() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME) $(SOURCESENTRY)' 'Created-By: Packages' 'Component: main' 2>/dev/null || true
}

# Debian 12's compose is 1.29. Debian 13's packages run there; the low priority keeps apt from taking anything else from it.
plan_trixie() {
  local mirror _ entry key
  ! apt_sources | grep -v 'nexus-trixie' | grep -qw trixie || return 0 # somebody has it already, pinned as he likes
  read -r mirror _ _ entry < <(apt_sources | grep -E ' (bookworm|oldstable|stable|oldoldstable) ') ||
    die 5 'this machine has no package source for Debian 12 (bookworm main)' "To see what it has, run \`apt-get indextargets\`"
  key=$(sed -nE 's/.*signed-by[=:] *(\/[^] ,]+).*/\1/Ip' "${entry%:*}" | head -n 1)
  [ -n "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$key" ] || key=''
  plan+=(
    "echo 'deb ${key:+[signed-by=$key] }$mirror trixie main' | ${as_root}tee /etc/apt/sources.list.d/nexus-trixie.list >/dev/null"
    "printf 'Package: *\nPin: release n=trixie\nPin-Priority: 50\n' | ${as_root}tee /etc/apt/preferences.d/nexus-trixie >/dev/null"
  )
}

choose_packages() {
  local family='' from='' name part parts=docker.io client=docker-cli compose=docker-compose buildx=docker-buildx
  # shellcheck disable=SC1091,SC2154
  IFS='|' read -r family name < <(. /etc/os-release 2>/dev/null && printf '%s|%s\n' "$ID${VERSION_ID:-99} ${ID_LIKE:-}" "${PRETTY_NAME:-$ID}") || true
  case $family in
    debian12*) from=/trixie parts='docker.io/trixie containerd/trixie' ;;
    debian1[3-9]* | debian[2-9][0-9]*) ;;
    *ubuntu*)
      compose=docker-compose-v2
      apt-cache show docker-cli >/dev/null 2>&1 || client=docker.io ;; # which holds it, in most releases
    *)
      die 5 "on ${name:-this system} Nexus cannot install packages by itself (it can on Debian 12 and later, and on Ubuntu)" \
        "To go on, install with the system's own tools: $(list "${missing[@]}"); then run \`make setup\`" ;;
  esac
  if [[ $(dpkg-query -W -f '${db:Status-Abbrev}' docker-ce-cli 2>/dev/null) == ii* ]]; then # Docker's own packages exclude the others
    from='' parts='docker-ce containerd.io' compose=docker-compose-plugin buildx=docker-buildx-plugin
  fi

  packages=()
  for part in "${missing[@]}"; do
    case $part in
      'Docker engine')
        read -ra packages <<<"$parts iptables"
        [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
        # where the kernel enforces AppArmor, the engine loads its profile with it and fails otherwise
        [[ $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null) != Y ]] || has apparmor_parser || packages+=(apparmor) ;;
      'Docker client') [[ " ${packages[*]} " == *" $client "* ]] || packages+=("$client$from") ;;
      compose*) packages+=("$compose$from") ;;
      buildx*) packages+=("$buildx$from") ;;
      OpenSSH*) packages+=(openssh-client) ;;
    esac
  done
}

# The commands shown are the commands run. A package source that does not answer must not stop the others.
make_plan() {
  plan=()
  choose_packages
  if [ ${#packages[@]} -gt 0 ]; then
    # without an init system, packages must not try to start their services
    has_systemd || [ -e "$policy" ] || plan+=("printf '#!/bin/sh\nexit 101\n' | ${as_root}install -m 755 /dev/stdin $policy")
    [[ ${packages[*]} != *trixie* ]] || plan_trixie
    plan+=(
      "${as_root}apt-get update || true"
      "${as_root}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 ${packages[*]}"
    )
    [[ ${plan[0]} != *"$policy" ]] || plan+=("${as_root}rm -f $policy")
  fi
  if [ "$user" != root ] && [[ ${missing[*]} == *Docker\ [ea]* ]]; then
    [[ " $(id -nG "$user") " == *' docker '* ]] || plan+=("${as_root}usermod -aG docker $user")
    # the group counts from the next login on; until then the socket itself lets the user in
    if [ "$engine" != denied ]; then :
    elif has setfacl; then plan+=("${as_root}setfacl -m u:$user:rw $socket")
    else plan+=("${as_root}chown $user $socket"); fi
  fi
}

list() { local IFS=,; local all="$*"; printf '%s' "${all//,/, }"; }

ask() {
  local answer
  say "missing: $(list "${missing[@]}")"
  if [ "${NEXUS_NO_INSTALL:-}" = 1 ] || { [ "${CI:-}" != true ] && [ "${YES:-}" != 1 ]; }; then
    say 'what would install it:'
    printf '  %s\n' "${plan[@]}" >&2
    [ "${NEXUS_NO_INSTALL:-}" != 1 ] || die 5 'nothing was installed, as NEXUS_NO_INSTALL=1 asks' "To go on, run these commands and then \`make setup\`"
    { [ -t 0 ] && [ -t 2 ]; } || die 5 'nothing was installed, since there is no terminal to ask on' "To go ahead, run \`YES=1 make setup\`"
    read -r -p 'Run these commands now? [y/N] ' answer || answer=''
    [[ $answer == [yY]* ]] || die 5 'nothing was installed' "To go ahead later, run \`make setup\`"
  fi
  agreed=1
}

require_root() {
  [ "$user" != root ] || return 0
  has sudo || die 5 "$1 needs an administrator, and there is no sudo here" "To go on, run \`make setup\` once as root"
  if [ -t 0 ]; then sudo -v; else sudo -n true 2>/dev/null; fi ||
    die 5 "$1 needs an administrator, and sudo does not let $user in" "To go on, run \`make setup\` once as an administrator"
}

run_plan() {
  local command
  log=$(mktemp "${TMPDIR:-/tmp}/nexus-setup-XXXXXX.log")
  for command in "${plan[@]}"; do
    case $command in
      *'apt-get update'*) say 'reading the package lists (about 5 s)' ;;
      *'apt-get install'*) say "installing ${packages[*]} (about 30 s)" ;;
      *install*"$policy") policy_is_ours=1 ;;
    esac
    bash -c "$command" >>"$log" 2>&1 </dev/null 9<&- || die_with_log 1 "$log" "this command failed: $command"
  done
  rm -f "$log"
  hash -r
}

# ---- the engine ----

# One that was killed counts only until its parent has noticed: its name stays in /proc until then.
is_engine() { # PID or pattern
  # shellcheck disable=SC2086
  cat /proc/$1/status 2>/dev/null | awk '$1 == "Name:" { name = $2 } $1 == "State:" && name == "dockerd" && $2 != "Z" { found = 1 } END { exit !found }'
}

start_engine() {
  local pid
  require_root 'starting the Docker engine'
  say 'starting the Docker engine (about 3 s)'
  if has_systemd && systemctl cat docker.service >/dev/null 2>&1; then
    root timeout 60 systemctl start docker 9<&- || die 5 'systemd could not start the Docker engine' "To see why, run \`journalctl -u docker\`"
  elif ! { pid=$(cat /var/run/docker.pid 2>/dev/null) && is_engine "$pid"; }; then
    root rm -f /var/run/docker.pid # of an engine that was killed: the number may belong to anybody now
    # Its own session and nothing of ours held open: else a pipe on this script, or the lock, would live as long as the engine.
    root setsid --fork bash -c '
      exec </dev/null >>"$1" 2>&1
      for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done
      cd / && exec dockerd' nexus "$engine_log"
  fi
  SECONDS=0
  while probe_engine && [ "$engine" != up ] && [ "$engine" != denied ]; do
    if [ $SECONDS -ge 20 ] || { [ $SECONDS -ge 2 ] && ! is_engine '[0-9]*'; }; then
      die_with_log 5 "$engine_log" "the Docker engine did not start within $SECONDS s"
    fi
    sleep 0.1
  done
}

# One set-up at a time on this machine. The lock is on a folder that everybody may read: no file to leave behind.
lock() {
  exec 9</var/lib
  flock -n 9 || { say 'waiting for another set-up on this machine'; flock 9; }
  locked=1
}

# Looks, does the next thing, looks again, until nothing is missing; what is missing twice in a row will not come by itself.
bring_up() {
  local before=''
  while find_missing; [ "$engine${missing[*]}" != up ]; do
    if [ ${#missing[@]} -gt 0 ]; then
      make_plan
      [ -n "$agreed" ] || ask
    fi
    [ -n "$locked" ] || { lock; continue; } # somebody else may have done it while we waited
    [ "$before" != "$engine${missing[*]}" ] || die 5 "still missing after the installation: $(list "${missing[@]}")" "To see what is there, run \`docker version; docker compose version\`"
    before=$engine${missing[*]}
    if [ ${#missing[@]} -gt 0 ]; then
      require_root "installing $(list "${missing[@]}")"
      run_plan
    else
      start_engine
    fi
  done
}

check() {
  find_missing
  [ "$engine" != silent ] || missing+=('a running Docker engine')
  [ "$engine" != up ] || has_image || missing+=("base image $base_image")
  [ ${#missing[@]} -gt 0 ] || { echo 'nothing is missing'; return 0; }
  echo "missing: $(list "${missing[@]}")"
  return 5
}

case ${1:-} in
  --check) check; exit ;;
  '' | -v) ! all_there "${1:-}" || exit 0 ;;
  *) die 2 "unknown option $1" "To see the options, run \`head $0\`" ;;
esac
bring_up
exec 9<&-
[ -z "$agreed" ] || [ "${NEXUS_NO_INSTALL:-}" = 1 ] || export YES=1
bash "$base_image_script" "$base_image"
say "ready: Docker engine $(docker version --format '{{.Server.Version}}'), compose $(compose_version), $base_image"
