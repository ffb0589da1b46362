#!/usr/bin/env bash
# Makes .venv with the test extras if need be, then runs the whole suite; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/venv.sh
ensure_venv test
# One thread: trials get one CPU each, and threads that outnumber cores slow torch down many times.
export OMP_NUM_THREADS=1
# Many tests start processes: each would compile raynas again if none might keep what it compiled.
unset PYTHONDONTWRITEBYTECODE
# Files, not tests, are dealt out to the cores: what a file's tests share is made once.
exec .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder "$@"
