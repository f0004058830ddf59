#!/bin/sh
# Makes the reference, real ansible-core, in a virtual environment that the language tests compare with, and prints its folder.
# Usage: oracle.sh [FOLDER]      default: ~/.cache/hostler/oracle
set -eu
version=2.19.14
folder=${1:-${HOSTLER_ORACLE:-${XDG_CACHE_HOME:-$HOME/.cache}/hostler/oracle}}

# The stamp is written last: an interrupted installation is made anew.
stamp=$folder/.installed
want="ansible-core $version"
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
  printf '%s\n' "oracle: installing $want in $folder" >&2
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  python3 -m venv "$folder"
  # passlib: what password_hash and vars_prompt use for hashes that the C library does not have.
  "$folder/bin/pip" -q --disable-pip-version-check install "ansible-core==$version" passlib >&2
  printf '%s\n' "$want" >"$stamp"
fi
printf '%s\n' "$folder"
