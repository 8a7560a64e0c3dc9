"""Groups of commands, a file for each noun; what they do is beside them, and loaded only when they run."""
