#!/bin/sh
# Make a virtual environment with a Python that is new enough, and say plainly what is missing where that fails.
set -eu
python=$1
venv=$2
if ! command -v "$python" >/dev/null 2>&1; then
    echo "error: $python was not found. Install Python 3.11 or later (Debian, Ubuntu: apt install python3 python3-venv)." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "error: $python is $("$python" -V 2>&1); 3.11 or later is needed. Name another one: make PYTHON=python3.12" >&2
    exit 1
fi
if "$python" -m venv "$venv" 2>/dev/null || "$python" -m virtualenv -q "$venv" 2>/dev/null; then
    # An old pip does not know dependency groups.
    "$venv/bin/python" -m pip install --disable-pip-version-check -q --upgrade 'pip>=25.1'
    exit 0
fi
rm -rf "$venv"
echo "error: $python cannot make virtual environments: install Debian's python3-venv (apt install python3-venv)," >&2
echo "or virtualenv for your user (pip install --user virtualenv), and try again." >&2
exit 1
