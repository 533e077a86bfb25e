"""What a run is worth: scores of a folder, reports, pictures of items."""
