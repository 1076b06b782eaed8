"""CSPNeXt, the backbone of RTMPose, as DeepLabCut uses it."""
