"""What a data rule means: on frames (`frames`, `wholes`, `distances`) and on a row of a request (`rows`)."""
