#!/bin/sh
# All checks and tests, in the order in which they fail fastest. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/../.."
ruff check .
ruff format --check .
mypy
python hatch_build.py check
# What waits for real peers and what computes share two cores well: they run side by side.
waited=$(mktemp)
failed=0
python -m pytest tests/integration "$@" >"$waited" 2>&1 &
waiting=$!
trap 'kill "$waiting" 2>/dev/null || true; rm -f "$waited"' EXIT
python -m pytest tests --ignore=tests/browser --ignore=tests/integration "$@" || failed=$?
# Synchronous Playwright must not share a process with tests that have an event loop.
python -m pytest tests/browser "$@" || failed=$?
wait "$waiting" || failed=$?
cat "$waited"
exit "$failed"
