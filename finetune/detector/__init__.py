"""The recipe of the compact detector."""
