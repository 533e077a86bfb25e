"""Ask multi-condition questions of aerial and satellite images."""
