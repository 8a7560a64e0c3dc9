"""What gates cost, and what they tell apart."""
