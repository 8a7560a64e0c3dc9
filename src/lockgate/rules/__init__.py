"""What a data rule means."""
