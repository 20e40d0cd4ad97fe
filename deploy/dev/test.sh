#!/bin/sh
# All checks and tests, in the order in which they fail fastest. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/../.."
ruff check .
ruff format --check .
mypy
python hatch_build.py check
python -m pytest tests --ignore=tests/browser "$@"
# Synchronous Playwright must not share a process with tests that have an event loop.
python -m pytest tests/browser "$@"
