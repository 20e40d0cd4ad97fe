#!/bin/sh
# Show what of pip's verbose output tells a person how far it is; show all of it when it fails.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
tee "$log" | grep --line-buffered -E '^ *(Collecting|Downloading|Installing collected|Successfully|Building|dashboard:|vite|npm|✓|.*built in)' | cut -c1-110 || true
if ! grep -q '^Successfully installed' "$log"; then
    cat "$log" >&2
    exit 1
fi
