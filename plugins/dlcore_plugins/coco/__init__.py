"""Datasets in COCO's format."""
