#!/usr/bin/env bash
# Starts and ends the cluster of cluster.yaml, and runs raynas commands on it:
#   bash launch/cluster.sh up
#   bash launch/cluster.sh search --task digits --max-concurrent 4
# Other words, such as status, logs, stop, fetch and submit with its options, go to raynas.
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
config="${RAYNAS_CLUSTER:-$here/cluster.yaml}"
case "${1:-}" in
    up) exec ray up --yes "$config" ;;
    down) exec ray down --yes "$config" ;;
    dashboard) exec ray dashboard "$config" ;; # makes it reachable at http://127.0.0.1:8265
    search | resume | check) exec raynas submit "$@" ;;
    "") sed -n '2,5s/^# //p' "$0" && exit 2 ;;
    *) exec raynas "$@" ;;
esac
