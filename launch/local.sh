#!/usr/bin/env bash
# Makes .venv if need be, then searches on scikit-learn's digits; arguments go to `raynas search`.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/venv.sh
ensure_venv
exec .venv/bin/raynas search --config launch/digits.yaml "$@"
