"""Serial lines that come and go (docs/devices/README.md)."""
