"""Readers of other makers at a serial line: what they send, and what they answer. Knows nothing of the gateway."""
