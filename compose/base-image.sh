#!/usr/bin/env bash
# Makes the base image of workspaces present in the engine: pulled from the registry the engine is configured for, else
# bootstrapped from the machine's own Debian mirror, which needs root or sudo. Does nothing when the image is there.
#
#   base-image.sh [debian:<suite>[-slim]]        default: debian:bookworm-slim
#
# Any image can be pulled, only Debian's can be bootstrapped. debootstrap is installed under the rules of scripts/setup.sh
# (CI=true or YES=1 goes ahead, NEXUS_NO_INSTALL=1 never). Called by setup.sh and by nexus itself. Talks on stderr.
# Exit codes: 0 present, 5 it cannot be had here (the message says how), 1 making it failed.
# shellcheck disable=SC2016 # backticks in hints are text
set -euo pipefail
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

readonly image=${1:-debian:bookworm-slim} pull_limit_s=60
work=''

say() { printf '%s\n' "$*" >&2; }
die() { # CODE MESSAGE HINT
  say "error: $2"
  say "  $3"
  exit "$1"
}
die_with_log() { # MESSAGE HINT
  tail -n 15 "$work/log" | sed 's/^/  | /' >&2
  die 1 "$@"
}
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
present() { docker image inspect --format . "$image" >/dev/null 2>&1; }

# Also what a killed run left: whoever holds the lock is alone. debootstrap mounts /proc and /sys; nothing is deleted in those.
readonly work_prefix=/var/tmp/nexus-base-image- # not /tmp, which may be small and forbid devices
cleanup() {
  local left
  for left in "$work_prefix"*; do
    [ -e "$left" ] || continue
    ! [ -d "$left/rootfs" ] || root sh -c 'umount -l "$1/proc" "$1/sys" 2>/dev/null; rm -rf --one-file-system "$1"' sh "$left/rootfs" || true
    rm -rf "$left" 2>/dev/null || true # of another user: his to remove
  done
}

pull() {
  say "base image $image: pulling it"
  timeout "$pull_limit_s" docker pull --quiet "$image" >"$work/log" 2>&1
}

# Every source of this machine as "URI RELEASE"; $(..) is apt's own notation. A mirror list stands for its first entry.
sources() {
  local uri release
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    while read -r uri release; do
      case $uri in mirror+file:*) uri=$(sed -nE 's,^(https?://[^[:space:]]+).*,\1,p' "${uri#mirror+file:}" | head -n 1) ;; esac
      case $uri in http://* | https://*) printf '%s %s\n' "${uri%/}" "$release" ;; esac
    done
}

# The mirror that serves SUITE[-updates|-security]: as configured, else where the machine gets the same part of its own suite.
mirror_of() { # SUITE PART
  local own known
  # shellcheck disable=SC1091,SC2154
  own=$(. /etc/os-release && [ "$ID" = debian ] && printf '%s' "${VERSION_CODENAME:-}") || return 0
  for known in "$1" "$own" stable oldstable testing; do
    sources | awk -v release="$known$2" '$2 == release { print $1; found = 1; exit } END { exit !found }' && return 0
  done
  return 0
}

# Works for apt's users, is unknown to debootstrap: the proxy apt is configured for.
use_apt_proxy() {
  local proxy
  proxy=$(apt-config shell proxy Acquire::http::Proxy | sed -nE "s/^proxy='(http.*)'$/\1/p")
  [ -z "$proxy" ] || export http_proxy="${http_proxy:-$proxy}" https_proxy="${https_proxy:-$proxy}"
}

require_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; } ||
    die 5 "the base image $image cannot be pulled, and to bootstrap it needs an administrator" \
      'To have it made, run `make setup` once as an administrator'
}

require_debootstrap() {
  local answer packages='debootstrap debian-archive-keyring'
  [ ! -x /usr/sbin/debootstrap ] || return 0
  if [ "${NEXUS_NO_INSTALL:-}" = 1 ] || { [ "${CI:-}" != true ] && [ "${YES:-}" != 1 ]; }; then
    say "missing: debootstrap, to make $image from the Debian mirror"
    { [ "${NEXUS_NO_INSTALL:-}" != 1 ] && [ -t 0 ] && [ -t 2 ]; } ||
      die 5 "the base image $image can neither be pulled nor bootstrapped without debootstrap" \
        "To install it, run \`apt-get install --no-install-recommends $packages\` as an administrator, or \`YES=1 make setup\`"
    read -r -p 'Install it now? [y/N] ' answer || answer=''
    [[ $answer == [yY]* ]] || die 5 'nothing was installed' 'To go ahead later, run `make setup`'
  fi
  say 'installing debootstrap (about 5 s)'
  # shellcheck disable=SC2086
  install() { root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 $packages; }
  { install || { root apt-get update || true; install; }; } >"$work/log" 2>&1 </dev/null 9<&- ||
    die_with_log 'debootstrap could not be installed' "To see why, run \`apt-get install $packages\`"
}

# One archive that is missing or expired would make `apt-get update` fail in every build on this image.
usable() { # SOURCE
  root sh -c 'echo "$2" >"$1/etc/apt/probe.list"
    timeout 30 chroot "$1" apt-get update --error-on=any -o Dir::Etc::sourcelist=/etc/apt/probe.list -o Dir::Etc::sourceparts=-
    code=$?; rm -f "$1/etc/apt/probe.list"; exit $code' sh "$work/rootfs" "$1" >>"$work/log" 2>&1 </dev/null 9<&-
}

bootstrap() { # SUITE
  local suite=$1 mirror security setting source include=''
  mirror=$(mirror_of "$suite" '')
  case $mirror in https:*) include=--include=ca-certificates ;; esac
  use_apt_proxy
  root env http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    debootstrap --variant=minbase $include "$suite" "$work/rootfs" ${mirror:+"$mirror"} 2>&1 </dev/null 9<&- | tee "$work/log" |
    awk '/^I: Retrieving/ && !a++ { print "  downloading packages" } /^I: Extracting/ && !b++ { print "  unpacking the base" }
      /^I: Unpacking/ && !c++ { print "  installing packages" } { fflush() }' >&2 ||
    die_with_log "debootstrap of $suite failed" "To see all of it, run \`debootstrap --variant=minbase $suite /tmp/rootfs $mirror\` as root"

  [ -n "$mirror" ] || mirror=$(awk '$1 == "deb" { print $2; exit }' "$work/rootfs/etc/apt/sources.list")
  # The machine's mirror may be a copy whose security archive counts as expired; then its own apt is told not to mind.
  for setting in Check-Valid-Until Check-Date; do
    [[ $(apt-config dump --format '%v' "Acquire::$setting" 2>/dev/null) != [Ff0Nn]* ]] ||
      root tee -a "$work/rootfs/etc/apt/apt.conf.d/90machine" >/dev/null <<<"Acquire::$setting \"false\";"
  done
  security=$(mirror_of "$suite" -security)
  {
    echo "deb $mirror $suite main"
    for source in "deb $mirror $suite-updates main" "deb ${security:-$mirror-security} $suite-security main"; do
      ! usable "$source" || echo "$source"
    done
  } >"$work/sources.list"
  root cp "$work/sources.list" "$work/rootfs/etc/apt/sources.list"
  slim
}

# What the image of that name also has: no services started by packages, quick dpkg, no caches, no documentation.
slim() {
  root sh -euc 'cd "$1"
    printf "#!/bin/sh\nexit 101\n" >usr/sbin/policy-rc.d && chmod 755 usr/sbin/policy-rc.d
    echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/docker-apt-speedup
    echo "Acquire::Languages \"none\";" >etc/apt/apt.conf.d/docker-no-languages
    echo "DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin\"; };" >etc/apt/apt.conf.d/docker-clean
    rm -rf var/lib/apt/lists/* var/cache/apt/archives/*.deb var/cache/apt/*.bin var/log/*.log var/log/apt etc/hostname etc/resolv.conf
    case $2 in
      *-slim)
        printf "path-exclude /usr/share/%s/*\n" doc man info locale groff lintian linda >etc/dpkg/dpkg.cfg.d/docker
        echo "path-include /usr/share/doc/*/copyright" >>etc/dpkg/dpkg.cfg.d/docker
        find usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian ! -type d ! -name copyright -delete 2>/dev/null || true
        ;;
    esac' sh "$work/rootfs" "$image"
}

import() {
  root tar -C "$work/rootfs" --numeric-owner -c . 2>>"$work/log" |
    docker import --change 'CMD ["bash"]' --message 'bootstrapped by Nexus from the Debian mirror of the machine' - "$image" >/dev/null 2>>"$work/log" ||
    die_with_log "the bootstrapped system could not be imported as $image" 'To see the engine, run `docker info`'
}

present && exit 0
said=$(timeout 10 docker version --format '{{.Server.Version}}' 2>&1) ||
  die 5 "the Docker engine does not answer: $(tail -n 1 <<<"$said")" 'To start it, or to be let in, run `make setup`'
exec 9</var/tmp # one at a time; a folder that everybody may read needs no lock file
flock -n 9 || { say 'waiting for another set-up that makes the base image'; flock 9; }
! present || exit 0
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d "${work_prefix}XXXXXX")

! pull || exit 0
[[ $image =~ ^debian:([a-z]+)(-slim)?$ ]] || {
  tail -n 1 "$work/log" >&2
  die 5 "the image $image cannot be pulled, and only debian:<suite>[-slim] can be bootstrapped" "To try again, run \`docker pull $image\`"
}
suite=${BASH_REMATCH[1]}
require_root
require_debootstrap
[ -e "/usr/share/debootstrap/scripts/$suite" ] || die 5 "debootstrap knows no Debian suite $suite" 'To see those it knows, run `ls /usr/share/debootstrap/scripts`'
say "base image $image: no registry has it for us, so it is bootstrapped from the Debian mirror (about 40 s)"
bootstrap "$suite"
import
