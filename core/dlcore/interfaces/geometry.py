"""Affine geometry of samples: one interpolation for a whole chain of warps."""
