#!/usr/bin/env bash
# Runs the quick tests on the oldest versions that setup.py allows, in a venv of its own, made anew
# each time; arguments go to pytest. Needs uv, which alone installs lowest versions.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v uv >/dev/null; then
    echo "tests/oldest.sh needs uv on the PATH: python3 -m pip install uv" >&2
    exit 1
fi
uv venv --quiet --clear --python 3.11 .venv-oldest
uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct \
    --editable '.[test]'
uv pip list --quiet --python .venv-oldest/bin/python
# One thread: trials get one CPU each, and threads that outnumber cores slow torch down many times.
export OMP_NUM_THREADS=1
# Old libraries use what newer ones that they need call deprecated; other warnings stay errors.
exec .venv-oldest/bin/python -m pytest -n auto --dist loadfile -m "not slow" \
    -W default::DeprecationWarning "$@"
