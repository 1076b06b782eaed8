"""Augmentations and collates of the DeepLabCut format: own geometry, albumentations for colour."""
