"""OSDP readers on RS-485 lines, by libosdp (docs/devices/osdp.md)."""
