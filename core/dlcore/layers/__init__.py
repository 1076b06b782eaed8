"""Layers that several techniques share. Their options are in modules that never import torch."""
