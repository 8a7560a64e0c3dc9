"""The control plane's root: the order of the line, and a reconciler that takes one step at a time."""
