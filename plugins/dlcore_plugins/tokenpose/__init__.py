"""TokenPose: one token per keypoint that attends to patches of the features."""
