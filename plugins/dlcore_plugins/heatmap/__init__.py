"""Keypoints as maps: for every cell how near the keypoint is, and how far it lies from the cell."""
