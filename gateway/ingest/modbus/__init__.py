"""Barriers on a Modbus RTU line: what their registers say, as gate records, and what they are told."""
