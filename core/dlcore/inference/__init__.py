"""Trained models at work: images in, poses out."""
