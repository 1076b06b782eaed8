"""Part affinity fields: several individuals per image, told apart by their limbs."""
