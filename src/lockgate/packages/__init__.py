"""What a package is, how it is written, signed, verified, loaded and run."""
