"""The recipe of the compact change detector."""
