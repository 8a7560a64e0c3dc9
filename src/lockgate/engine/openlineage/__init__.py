"""What a walk tells the world: OpenLineage events (spec 2-0-2), to a file or to any endpoint that takes them."""
