"""What the commands are built from: groups, shared options, help, completion."""
