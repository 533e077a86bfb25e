"""Grounded conversations from boxes and masks (GeoPixel, section 4)."""
