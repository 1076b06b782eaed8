"""What is allowed in a config, and seldom meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlcore.config.options import read_options
from dlcore.config.schema import RunConfig
from dlcore.plugin_host import PluginHost

FREEZE = "freeze_bn_stats"


def advice_on(config: RunConfig, host: PluginHost) -> Iterator[tuple[str, str]]:
    """Values that a user should think about once more.

    Args:
        config: Checked.
        host: Where components are found.

    Yields:
        Dotted key and what is the matter with it.
    """
    other_weights = config.init_from or config.train_settings.weight_init
    if not other_weights and not config.resume_training_from:
        yield from _frozen_at_random(config.model.backbone, "backbones", "model.backbone", host)
    detector = config.detector
    if detector is not None and config.method == "td" and not detector.resume_training_from:
        yield from _frozen_at_random(detector.model, "detectors", "detector.model", host)


def _frozen_at_random(
    block: Mapping[str, Any], kind: str, key: str, host: PluginHost
) -> Iterator[tuple[str, str]]:
    if block.get("pretrained") is not False:
        return
    option = read_options(host.find(kind, block["type"]).component).options.get(FREEZE)
    if option is not None and block.get(FREEZE, option.default) is True:
        yield (
            f"{key}.{FREEZE}",
            "is true, and with pretrained: false the statistics stay at their first values, with "
            f"which a network hardly learns; set {key}.{FREEZE}=false",
        )
