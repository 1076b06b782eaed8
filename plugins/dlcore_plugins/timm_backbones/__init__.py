"""Backbones from the library timm: ResNets as DeepLabCut uses them, and any other model."""
