"""More records from records: cyclic referring, PAL and GGL, pictures turned and pasted."""
