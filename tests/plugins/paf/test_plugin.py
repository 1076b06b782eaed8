from dlcore.hookspecs import KINDS
from dlcore.plugin_host import PluginHost
from dlcore.testing import check_component
from dlcore_plugins.paf import plugin

OFFERED = {
    "DLCRNetHead",
    "PartAffinityFieldGenerator",
    "SequentialGenerator",
    "PartAffinityFieldPredictor",
}


def test_everything_offered_keeps_the_contract_of_its_kind():
    host = PluginHost()
    host.add(plugin, name="paf")

    offers = [(kind, entry) for kind in KINDS for entry in host.registries[kind]]
    assert {entry.name for _, entry in offers} == OFFERED
    for kind, entry in offers:
        check_component(kind, entry.component.load())
        assert entry.component.summary.endswith(".")
