"""Coordinates as classification: for each keypoint one row of bins along x and one along y."""
