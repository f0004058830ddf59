#!/bin/bash
# Runs the reference's integration targets against bin/, two side by side, and compares with those that passed before (passing.txt).
# Usage: run.sh [--update] [TARGET…]        all of targets.tsv by default; --update writes what passes now to passing.txt
# Status: 0 when every target that passed before passes, 1 when one no longer does.
set -euo pipefail
cd "$(dirname "$0")"
update=
if [ "${1-}" = --update ]; then update=1; shift; fi
bin=$(cd .. && pwd)/bin
[ -x "$bin/ansible-playbook" ] || { echo "conformance: there is no $bin/ansible-playbook; make build" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "conformance: the rig boots containers, which needs root: sudo make conformance" >&2; exit 2; }
export RUNNER_DIR=$bin RIG=${RIG:-$HOME/.cache/hostler-rig}
[ -d "$RIG/full" ] || rig/build.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LOGDIR=$RIG/logs
mkdir -p "$LOGDIR"
if [ $# -gt 0 ]; then printf '%s\n' "$@"; else grep -v '^#' targets.tsv | cut -f1; fi >"$work/queue"
total=$(wc -l <"$work/queue")

next() { # takes the first target off the queue
  flock "$work/lock" sh -c 'head -n 1 "$1"; sed -i 1d "$1"' sh "$work/queue"
}
worker() { # SLOT
  local target status from
  while target=$(next) && [ -n "$target" ]; do
    from=$SECONDS status=0
    rig/run_target.sh -s "$1" "$target" >/dev/null 2>"$work/$target.err" || status=$?
    echo "$target" >>"$work/$([ $status = 0 ] && echo passed || echo failed)"
    printf '%-36s %-14s %4s s\n' "$target" "$([ $status = 0 ] && echo passes || echo "fails ($status)")" $((SECONDS - from))
  done
}
touch "$work/passed" "$work/failed" passing.txt
worker 1 & worker 2 & wait

echo "$(wc -l <"$work/passed") of $total pass; logs in $LOGDIR"
if [ -n "$update" ]; then
  # Targets that did not run now keep their place.
  sort -u "$work/passed" <(grep -vxFf "$work/failed" passing.txt) >"$work/now" || true
  cp "$work/now" passing.txt
  exit 0
fi
lost=$(grep -xFf "$work/failed" passing.txt || true)
[ -z "$lost" ] || { echo "no longer passing: $(echo "$lost" | tr '\n' ' ')" >&2; exit 1; }
