#!/usr/bin/env bash
# Makes the base image of workspaces present: pulled from the registry the engine is configured for, else bootstrapped from
# the machine's own Debian mirror. Does nothing, silently, when it is there.
#
#   base-image.sh [debian:<suite>[-slim]]
#
# Exit codes: 0 present, 5 it cannot be had here (the message says how), 1 making it failed.
set -euo pipefail
image=${1:-debian:bookworm-slim}

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; say "  $2"; exit "${3:-5}"; }
has_image() { docker image inspect --format x "$image" >/dev/null 2>&1; }

has_image && exit 0
exec 8>"/tmp/nexus-base-image-$(id -u).lock"
flock 8
has_image && exit 0

if timeout 120 docker pull --quiet "$image" >/dev/null 2>&1; then
  say "base image $image: pulled"
  exit 0
fi

suite=${image#debian:}
suite=${suite%-slim}
[[ $image == debian:* && $suite =~ ^[a-z]+$ ]] ||
  fail "the image $image cannot be pulled, and only debian:<suite> can be bootstrapped" "To see why, run \`docker pull $image\`"
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    fail "the base image $image cannot be pulled, and bootstrapping it needs root" 'To have it made once, run `make setup` as an administrator'
  fi
  as_root=(sudo -n)
fi

say "base image $image: no registry answers, bootstrapping it from the Debian mirror (about 40 s)"
work=$(mktemp -d)
log=$work/log
trap '"${as_root[@]}" rm -rf --one-file-system "$work"' EXIT

if ! command -v debootstrap >/dev/null; then
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends debootstrap debian-archive-keyring \
    >"$log" 2>&1 </dev/null || {
    "${as_root[@]}" apt-get update -q >>"$log" 2>&1 </dev/null || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends debootstrap debian-archive-keyring \
      >>"$log" 2>&1 </dev/null || { tail -n 15 "$log" >&2; fail 'debootstrap could not be installed' 'To see why, run `apt-get install debootstrap`' 1; }
  }
fi

# The machine's own mirror where it is a Debian; elsewhere debootstrap knows one.
sources() {
  [ "$(. /etc/os-release && printf '%s' "$ID")" = debian ] || return 0
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)' 2>/dev/null |
    awk '$4 == "Packages" && $3 == "main" { print $1, $2 }'
}
mirror=$(sources | awk '$2 ~ /^(bookworm|trixie|forky|stable|oldstable|testing|sid)$/ { print $1; exit }')
security=$(sources | awk '$2 ~ /-security$/ { print $1; exit }')
"${as_root[@]}" debootstrap --variant=minbase "$suite" "$work/root" ${mirror:+"$mirror"} >"$log" 2>&1 </dev/null || {
  tail -n 15 "$log" >&2
  fail "debootstrap of $suite failed" 'To see the whole of it, run `debootstrap --variant=minbase '"$suite"' /tmp/root`' 1
}
if [ -n "$mirror" ]; then
  {
    printf 'deb %s %s main\ndeb %s %s-updates main\n' "$mirror" "$suite" "$mirror" "$suite"
    [ -z "$security" ] || printf 'deb %s %s-security main\n' "$security" "$suite"
  } | "${as_root[@]}" tee "$work/root/etc/apt/sources.list" >/dev/null
fi
"${as_root[@]}" rm -rf "$work/root/var/lib/apt/lists" "$work/root/var/cache/apt/archives" "$work/root/var/log/bootstrap.log"
"${as_root[@]}" mkdir -p "$work/root/var/lib/apt/lists/partial" "$work/root/var/cache/apt/archives/partial"
"${as_root[@]}" tar -C "$work/root" --numeric-owner -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null ||
  fail "the bootstrapped $suite could not be imported as $image" 'To see the engine, run `docker info`' 1
