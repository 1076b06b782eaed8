"""Individuals as centres, and the way from each centre to its keypoints (DEKR)."""
