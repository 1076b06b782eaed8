"""Trained weights for CSPNeXt: DeepLabCut's from the hub, or a local file."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from dlcore.pretrained import explain_misfit, find_file, from_hub, read_state_dict, shapes

PREFIX = "backbone."


def load(
    backbone: nn.Module, model_name: str, pretrained: bool | str, folder: str | None, repo_id: str
) -> None:
    """Load trained weights into a CSPNeXt. A file of a whole model will do too.

    Args:
        backbone: Its stages may be fewer than those of the file.
        model_name: Name of DeepLabCut's weights.
        pretrained: True for DeepLabCut's weights, or a file as `dlcore.pretrained.find_file` takes
            it.
        folder: Where DeepLabCut's weights are looked for before the hub's cache.
        repo_id: Repository of the hub that holds them.

    Raises:
        ValueError: If they cannot be had or do not fit.
    """
    if isinstance(pretrained, str):
        path = find_file(pretrained)
    else:
        path = _deeplabcut_weights(model_name, folder, repo_id)
    state = read_state_dict(path)
    if any(key.startswith(PREFIX) for key in state):
        state = {
            key.removeprefix(PREFIX): value
            for key, value in state.items()
            if key.startswith(PREFIX)
        }
    parts = {name for name, _ in backbone.named_children()}
    state = {key: value for key, value in state.items() if not _left_out(key, parts)}
    if shapes(state) != shapes(backbone.state_dict()):
        raise ValueError(
            f"pretrained: {str(path)!r} holds no weights of a CSPNeXt with these options, of which "
            f"arch, deepen_factor, widen_factor, expand_ratio and channel_attention matter: "
            f"{explain_misfit(state, backbone)}"
        )
    backbone.load_state_dict(state, strict=False)  # old files lack counters of batch norm


def _deeplabcut_weights(model_name: str, folder: str | None, repo_id: str) -> Path:
    file = f"{model_name}.pt"
    if folder is not None:
        path = Path(folder).expanduser() / file
        if path.is_file():
            return path
    return from_hub(model_name, repo_id, [file])


def _left_out(key: str, parts: set[str]) -> bool:
    stage = key.partition(".")[0]
    return stage.startswith("stage") and stage not in parts
