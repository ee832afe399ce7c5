#!/usr/bin/env bash
# Rolls a change out to the canary while brunt drives canary and stable alike; its verdict decides what becomes of it.
#
#   CANARY_URL=... STABLE_URL=... judge.sh NAME=VALUE...        as `kubectl set env` takes it; `set image` goes as well
#
# The context and namespace are those of kubectl. It exits with 0 when the change is everywhere, and else it is nowhere: with
# brunt's own code (99: a gate failed), or with 1 when the canary did not get ready in time.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-judged}
# Brunt watches longer than the rollout may take, so that the new version is judged and not the old one alone.
watched=${WATCHED:-30s} patience=${PATIENCE:-15s}
mkdir -p "$out"

brunt run "$folder/rollout.brunt.yaml" --set "vars.watched=$watched" --ui plain --out "$out" 2>"$out/brunt.log" &
judge=$!
until grep -qs baseline.ended "$out/brunt.log"; do
    kill -0 "$judge" 2>/dev/null || break # what it has said stands below
    sleep 0.1
done

changed=no rolled_out=no verdict=0
if kill -0 "$judge" 2>/dev/null; then
    changed=yes
    kubectl set env deployment/payments-canary "$@"
    kubectl rollout status deployment/payments-canary --timeout="$patience" && rolled_out=yes
fi
wait "$judge" || verdict=$?
cat "$out/brunt.log" >&2

if [ $rolled_out = yes ] && [ $verdict = 0 ]; then
    kubectl set env deployment/payments "$@"
    kubectl rollout status deployment/payments --timeout=120s
    exit 0
fi
if [ $changed = yes ]; then
    kubectl rollout undo deployment/payments-canary
    kubectl rollout status deployment/payments-canary --timeout=120s
fi
[ $verdict != 0 ] || verdict=1
exit $verdict
