"""A small backbone and a soft-argmax head for dlcore."""
