"""Scorers of the benchmarks: pure functions from what is true and what was answered to a table (docs/metrics.md)."""
