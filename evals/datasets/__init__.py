"""Readers of published datasets: each yields records of one kind, lazily, with leakage family, source and licence."""
