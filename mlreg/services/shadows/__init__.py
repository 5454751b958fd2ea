"""Shadows: versions that are asked behind the live answer, or later from the log, and compared."""
