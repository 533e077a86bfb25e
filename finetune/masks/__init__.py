"""The recipe of the compact segmenter."""
