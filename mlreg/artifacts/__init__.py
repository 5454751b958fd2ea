"""Objects on disk under their digest, and how they are loaded and called."""
