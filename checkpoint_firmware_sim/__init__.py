"""Firmware-like scanners, gates and consoles, the people who use them, and the truth of what they did."""
