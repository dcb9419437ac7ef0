#!/usr/bin/env bash
# Makes this machine able to run Nexus: Docker engine, compose plugin, OpenSSH client, base image. Does only what is missing
# and says it first; a second run changes nothing and prints nothing. Packages come from the machine's own mirrors.
#
#   setup.sh            asks on a terminal; CI=true or YES=1 goes ahead; NEXUS_NO_INSTALL=1 prints the commands and stops
#   setup.sh --check    names what is missing and changes nothing
#
# Exit codes: 0 everything is there, 5 something is missing and was not installed, 1 an installation failed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
compose_minimum=2.24.4
log=/tmp/nexus-setup-$(id -u).log
engine_log=/var/log/nexus-dockerd.log
check_only=${1:-}

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; [ -z "${2:-}" ] || say "  $2"; exit "${3:-5}"; }
has() { command -v "$1" >/dev/null 2>&1; }
engine_answers() { has docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
# true when $1 is at least $2, as versions
at_least() { [ "$(printf '%s\n%s\n' "$2" "${1#v}" | sort -V | head -n 1)" = "$2" ]; }
compose_fits() {
  local version
  version=$(docker compose version --short 2>/dev/null) || return 1
  at_least "$version" "$compose_minimum"
}

# ---- what is missing ----
missing=()
start_engine=no
if ! engine_answers; then
  if [ -n "${DOCKER_HOST:-}" ]; then fail "the Docker engine at $DOCKER_HOST does not answer" 'To use this machine'"'"'s own, run `unset DOCKER_HOST`'; fi
  if has dockerd; then start_engine=yes; else missing+=('the Docker engine'); start_engine=yes; fi
fi
if [ ${#missing[@]} = 0 ] && ! compose_fits; then missing+=("the docker compose plugin >= $compose_minimum"); fi
for tool in ssh ssh-keygen scp sftp; do
  if ! has "$tool"; then missing+=('the OpenSSH client'); break; fi
done

# ---- how to install it here ----
as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
distribution=unknown version_id=0
if [ -r /etc/os-release ]; then
  distribution=$(. /etc/os-release && printf '%s' "$ID")
  version_id=$(. /etc/os-release && printf '%s' "${VERSION_ID:-0}")
fi

# Debian 12's own compose is 1.29; Debian 13's packages run there when only they are taken from it (glibc 2.34 is enough).
trixie_needed() { [ "$distribution" = debian ] && [ "${version_id%%.*}" -lt 13 ]; }

trixie_source() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)' 2>/dev/null |
    awk '$4 == "Packages" && $2 ~ /^(bookworm|oldstable)$/ && $3 == "main" { print $1; exit }')
  [ -n "$mirror" ] || fail 'the machine has no package source for Debian 12 (bookworm main)' 'To see its sources, run `apt-get indextargets`'
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' "$mirror"
}

packages=()
for what in ${missing[@]+"${missing[@]}"}; do
  case $what in
    *engine*)
      if trixie_needed; then packages+=(docker.io/trixie docker-cli/trixie containerd/trixie docker-compose/trixie docker-buildx/trixie iptables)
      elif [ "$distribution" = ubuntu ]; then packages+=(docker.io docker-compose-v2 docker-buildx iptables)
      else packages+=(docker.io docker-cli docker-compose docker-buildx iptables); fi ;;
    *compose*)
      if trixie_needed; then packages+=(docker-compose/trixie docker-buildx/trixie)
      elif [ "$distribution" = ubuntu ]; then packages+=(docker-compose-v2 docker-buildx)
      else packages+=(docker-compose docker-buildx); fi ;;
    *OpenSSH*) packages+=(openssh-client) ;;
  esac
done

show_commands() {
  if trixie_needed && [[ " ${packages[*]} " == */trixie* ]]; then
    say "  echo '$(trixie_source)' | ${as_root[*]} tee /etc/apt/sources.list.d/nexus-trixie.list"
    say "  printf 'Package: *\\nPin: release n=trixie\\nPin-Priority: 50\\n' | ${as_root[*]} tee /etc/apt/preferences.d/nexus-trixie"
  fi
  say "  ${as_root[*]} apt-get update"
  say "  ${as_root[*]} apt-get install --no-install-recommends ${packages[*]}"
}

if [ ${#missing[@]} -gt 0 ]; then
  names=$(printf ', %s' "${missing[@]}")
  say "missing: ${names:2}"
  [ "$check_only" != --check ] || exit 5
  case $distribution in debian | ubuntu) ;; *)
    fail "packages for $distribution are not known here" "To go on, install ${names:2} with the system's own tools" ;;
  esac
  if [ "${NEXUS_NO_INSTALL:-}" = 1 ]; then
    say 'NEXUS_NO_INSTALL=1: nothing is installed; the commands would be'
    show_commands
    exit 5
  elif [ "${CI:-}" != true ] && [ "${YES:-}" != 1 ]; then
    show_commands
    if [ -t 0 ] && [ -t 2 ]; then
      read -r -p 'Run these commands now? [y/N] ' answer </dev/tty
      [[ $answer =~ ^[yY] ]] || fail 'nothing was installed' 'To go ahead, run `YES=1 make setup`'
    else
      fail 'nothing was installed, because nobody can be asked here' 'To go ahead, run `YES=1 make setup`'
    fi
  fi
  [ "$(id -u)" = 0 ] || has sudo || fail 'installing needs root, and there is no sudo' 'To go on, run `make setup` as root'
fi
[ "$check_only" != --check ] || { [ "$start_engine" = no ] || { say 'missing: the Docker engine does not run'; exit 5; }; exit 0; }

run_logged() {
  if ! "$@" >>"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    fail "\`$*\` failed" "To see all of it, run \`less $log\`" 1
  fi
}

# Two set-ups at once must not install or start twice.
if [ ${#missing[@]} -gt 0 ] || [ "$start_engine" = yes ]; then
  exec 9>"/tmp/nexus-setup.lock" || true
  flock 9
fi

if [ ${#missing[@]} -gt 0 ]; then
  : >"$log"
  say "installing ${packages[*]} (about half a minute)"
  if trixie_needed && [[ " ${packages[*]} " == */trixie* ]]; then
    trixie_source | "${as_root[@]}" tee /etc/apt/sources.list.d/nexus-trixie.list >/dev/null
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 50\n' | "${as_root[@]}" tee /etc/apt/preferences.d/nexus-trixie >/dev/null
  fi
  # a foreign source that does not answer must not stop the others: the install itself tells whether it mattered
  "${as_root[@]}" apt-get update -q >>"$log" 2>&1 </dev/null || say 'some package sources did not answer; going on with the others'
  run_logged "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${packages[@]}"
  hash -r
fi

# ---- the engine runs ----
start_dockerd() {
  if [ -d /run/systemd/system ]; then
    run_logged "${as_root[@]}" systemctl start docker
    return
  fi
  say 'starting the Docker engine'
  # left behind by an engine that was killed: the pid may belong to anybody now
  local pid_file=/var/run/docker.pid pid
  if [ -e "$pid_file" ]; then
    pid=$(cat "$pid_file" 2>/dev/null || true)
    if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null || true)" != dockerd ]; then "${as_root[@]}" rm -f "$pid_file"; fi
  fi
  "${as_root[@]}" setsid --fork bash -c "exec dockerd >>$engine_log 2>&1 </dev/null 3>&- 4>&- 9>&-"
}

if [ "$start_engine" = yes ] && ! engine_answers; then
  start_dockerd
  for _ in $(seq 1 100); do
    if engine_answers; then break; fi
    # the engine is up, and only this user may not ask it
    if [ "$(id -u)" != 0 ] && "${as_root[@]}" docker version >/dev/null 2>&1; then
      fail 'the Docker engine runs, but this user may not use it' "To be let in, run \`sudo usermod -aG docker $(id -un)\` and log in again"
    fi
    sleep 0.2
  done
  engine_answers || { tail -n 10 "$engine_log" >&2 2>/dev/null || true; fail 'the Docker engine did not start within 20 s' "To see why, run \`less $engine_log\`"; }
fi
exec 9>&- 2>/dev/null || true

exec bash "$here/compose/base-image.sh"
