"""Instruction records: their schema, files, statistics, splits, exports."""
