"""The gate ledger (law 13): what each barrier did, for whom, and on whose authority. The rules: docs/ledger.md."""
