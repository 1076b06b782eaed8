"""What looks on while a model is trained, and has a say in it."""
