"""From a trained run to a file that computes the same without dlcore."""
