#!/usr/bin/env bash
# Makes .venv with the docs extra if need be, then builds the pages into build/docs; a warning,
# such as a link that leads nowhere, is an error. Arguments go to sphinx-build.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/venv.sh
ensure_venv docs
exec .venv/bin/sphinx-build -W --keep-going -q -b html "$@" docs build/docs
