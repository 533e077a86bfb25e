"""Small checkpoints from scratch, for tests and as proof that the recipe learns."""
