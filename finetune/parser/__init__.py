"""The recipe of the compact parser."""
