#!/usr/bin/env bash
# Makes .venv with the test extras if need be, then runs the whole suite; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/venv.sh
ensure_venv test
exec .venv/bin/python -m pytest "$@"
