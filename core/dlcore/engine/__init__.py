"""Training: the loop, and everything around it."""
