# Sourced by the scripts that need .venv: makes it, or does nothing where it is up to date.

# The marker holds what was installed and a checksum of what asked for it.
ensure_venv() { # ensure_venv [extra]
    local extra="${1:-}" marker=.venv/.raynas wanted
    wanted="$(cksum <setup.py) $PWD"
    if [[ -f $marker ]] && grep -qxF "$wanted ${extra}" "$marker"; then
        return
    fi
    echo "Setting up .venv (once; downloads PyTorch and Ray, a few minutes) ..." >&2
    local python
    python="$(find_python)"
    [[ -x .venv/bin/python ]] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extra:+[$extra]}"
    # A newer setup.py makes older entries void; without an extra is part of with one.
    { grep -F "$wanted" "$marker" 2>/dev/null || true; echo "$wanted "; echo "$wanted ${extra}"; } |
        sort -u >"$marker.new"
    mv "$marker.new" "$marker"
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    echo "raynas needs Python 3.11 or newer with venv and pip, and found none on the PATH" >&2
    return 1
}
