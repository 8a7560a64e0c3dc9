"""What a user writes with: values and functions, kept as declared. `project/` turns them into a blueprint."""
