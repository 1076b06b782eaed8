"""DeepLabCut projects on disk, and the architectures that DeepLabCut offers."""
