"""Runs on disk, read without torch: found, summed up, compared."""
