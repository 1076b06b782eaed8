"""Detectors of torchvision that tell individuals from background."""
