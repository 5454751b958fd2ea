"""Lines in and lines out: what is read from files and pipes, and what is written one a line."""
