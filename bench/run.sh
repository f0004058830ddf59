#!/bin/bash
# Measures Hostler beside its peers and beside a shell script, and writes docs/performance.md. `make bench` builds first.
# Usage: run.sh [noop] [floor] [realm]      all by default
set -euo pipefail
cd "$(dirname "$0")/.."
parts=${*:-noop floor realm}
venv=${XDG_CACHE_HOME:-$HOME/.cache}/hostler/bench-venv
want="ansible-core==2.19.14 mitogen==0.3.54 pyinfra==3.10.0"
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$want" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086  # a list of words
  "$venv/bin/pip" -q --disable-pip-version-check install $want
  echo "$want" >"$venv/.installed"
fi
for part in $parts; do
  case $part in
    noop) "$venv/bin/python" bench/run.py --write docs/performance.md ;;
    floor) "$venv/bin/python" bench/floor.py --write docs/performance.md ;;
    realm) "$venv/bin/python" bench/realm.py --write docs/performance.md ;;
    *) sed -n 's/^# Usage: /usage: /p' "$0" >&2; exit 2 ;;
  esac
done
