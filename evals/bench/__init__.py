"""Conditional benchmarks (CREC, CRES, RCD): items, builders, baselines, runner, report."""
