"""Hundreds of bad nights through the real intake, engine and store, scored against what really happened."""
