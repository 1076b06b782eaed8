"""How fast dlcore is, beside DeepLabCut and beside what the machine can do."""
