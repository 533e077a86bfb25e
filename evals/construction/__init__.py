"""Items: built from annotated images, or taken from the datasets of the field."""
