"""Benchmarks: what a record costs, and how that grows. `make bench` runs them and writes `bench.json`."""
