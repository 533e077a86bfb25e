"""Datasets to instruction records."""
