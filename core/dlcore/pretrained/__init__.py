"""Trained weights for plugins to start from: local files, and downloads that give up soon."""

from dlcore.pretrained.files import explain_misfit, find_file, read_state_dict, shapes
from dlcore.pretrained.hub import from_hub, from_url

__all__ = ["explain_misfit", "find_file", "from_hub", "from_url", "read_state_dict", "shapes"]
