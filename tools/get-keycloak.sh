#!/bin/sh
# Gets Keycloak's archive of one version, checks it against the pinned SHA-256, and prints its path.
# Usage: get-keycloak.sh VERSION     kept in $HOSTLER_ARCHIVES or ~/.cache/hostler/archives
# Where from: the cache; Maven, when it is installed; the project's release page; Maven from Debian, as a last resort.
set -eu
[ $# = 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
version=$1
sums=$(dirname "$0")/keycloak.sha256
archives=${HOSTLER_ARCHIVES:-${XDG_CACHE_HOME:-$HOME/.cache}/hostler/archives}
name=keycloak-$version.tar.gz
archive=$archives/$name

want=$(awk -v name="$name" '$2 == name { print $1 }' "$sums")
if [ -z "$want" ]; then
  printf '%s\n' "get-keycloak: no checksum is pinned for version $version; there is: $(awk '{ print $2 }' "$sums" | tr '\n' ' ')" >&2
  exit 1
fi

say() { printf '%s\n' "get-keycloak: $*" >&2; }

matches() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$want" ]; }

# Takes a downloaded file over, or throws it away when it is not what was pinned.
keep() {
  if matches "$1"; then
    mv "$1" "$archive"
    return 0
  fi
  [ ! -f "$1" ] || say "the archive from $2 has another checksum than the pinned one; it is not used"
  rm -f "$1"
  return 1
}

with_maven() {
  # Maven's own name for it; a download of its own ends in its repository, so a second one costs nothing.
  mvn -q -B -Dstyle.color=never dependency:copy "-Dartifact=org.keycloak:keycloak-quarkus-dist:$version:tar.gz" "-DoutputDirectory=$work" >&2 || return 1
  keep "$work/keycloak-quarkus-dist-$version.tar.gz" Maven
}

from_releases() {
  curl -sSfL --retry 3 --connect-timeout 20 -o "$work/$name" "https://github.com/keycloak/keycloak/releases/download/$version/$name" || return 1
  keep "$work/$name" "the release page"
}

maven_from_debian() {
  command -v apt-get >/dev/null || return 1
  say "installing maven"
  as_root=
  [ "$(id -u)" = 0 ] || as_root=sudo
  # What fails says so on standard error.
  $as_root apt-get -qq update >/dev/null &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install maven default-jre-headless >/dev/null
}

mkdir -p "$archives"
if ! matches "$archive"; then
  rm -f "$archive"
  work=$(mktemp -d "$archives/.get.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  say "getting Keycloak $version"
  { command -v mvn >/dev/null && with_maven; } || from_releases || { ! command -v mvn >/dev/null && maven_from_debian && with_maven; } || {
    say "Keycloak $version cannot be had; put $name (SHA-256 $want) into $archives and run this again"
    exit 1
  }
fi
printf '%s\n' "$archive"
