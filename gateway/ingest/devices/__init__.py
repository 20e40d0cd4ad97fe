"""Devices that others make: one file for each maker's protocol, without any input or output (docs/devices/)."""
