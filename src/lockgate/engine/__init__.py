"""The control plane's root: the order of the line, and a reconciler that reads, decides and writes one step at a time."""
