"""From a request to the matrix: one meaning, for history and for requests."""
