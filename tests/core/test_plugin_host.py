from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from importlib_metadata import EntryPoint, entry_points

from dlcore import Component, hookimpl
from dlcore.errors import AmbiguousComponentError, PluginError, UnknownComponentError
from dlcore.hookspecs import ENTRY_POINT_GROUP
from dlcore.plugin_host import DISABLE_VARIABLE, PluginHost

GOOD = """
from dlcore import Component, hookimpl

@hookimpl
def register_heads():
    return [Component("HeatmapHead", "good:HeatmapHead", "One map per keypoint.")]
"""

BROKEN = {
    "raises at import": ("raise RuntimeError('no GPU')", "RuntimeError: no GPU"),
    "missing dependency": ("import not_a_module", "No module named 'not_a_module'"),
    "not Python": ("def (", "SyntaxError"),
    "ends the process": ("raise SystemExit(3)", "SystemExit: 3"),
    "misspelt hook": (
        GOOD.replace("register_heads", "register_head"),
        "implements unknown hooks: register_head (did you mean register_heads?)",
    ),
    "no hook at all": ("x = 1", "implements no hook; is @dlcore.hookimpl missing?"),
    "no marker": (GOOD.replace("@hookimpl", ""), "implements no hook"),
    "wrong arguments": (GOOD.replace("register_heads()", "register_heads(app)"), "app"),
    "not a list": (
        GOOD.replace("return [", "return ([").replace(")]", ")],)"),
        "must return a list",
    ),
    "nothing returned": (GOOD.replace("return", "_ ="), "must return a list"),
    "not a component": (GOOD.replace("[Component", "['heatmap'] or [Component"), "not a Component"),
    "hook raises": (
        GOOD.replace("return", "1 / 0\n    return"),
        "register_heads raised ZeroDivisionError: division by zero",
    ),
    "bad name": (GOOD.replace('"HeatmapHead"', '"Heat Map"'), "must match"),
    "bad target": (GOOD.replace("good:", "good."), "must look like"),
    "twice": (GOOD.replace("return [", "return 2 * ["), "offers 'HeatmapHead' twice"),
    "one hook of two": (
        GOOD + GOOD.replace("register_heads", "register_necks").replace("return", "return 3 or"),
        "register_necks must return a list",
    ),
}


@pytest.fixture
def write_plugin(tmp_path, monkeypatch):
    """Write a module and return the entry point that an installed package would have."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> EntryPoint:
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return EntryPoint(name, name, ENTRY_POINT_GROUP)

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def write_file(tmp_path):
    """Write an unpackaged plugin and forget its module afterwards."""
    before = dict(sys.modules)

    def write(name: str, source: str = GOOD) -> Path:
        path = tmp_path / name
        path.write_text(source)
        return path

    yield write
    for name in set(sys.modules) - set(before):
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def plugin(**offers: list[str]) -> ModuleType:
    """A plugin that offers components by kind, all with a target that does not exist."""
    module = ModuleType("fake")
    for kind, names in offers.items():

        def hook(names: list[str] = names) -> list[Component]:
            return [Component(name, f"nowhere:{name}") for name in names]

        hook.__name__ = f"register_{kind}"
        setattr(module, hook.__name__, hookimpl(hook))
    return module


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_is_skipped_whole_and_the_others_stay(write_plugin, source, reason):
    host = PluginHost.from_entry_points([write_plugin("bad", source), write_plugin("good", GOOD)])

    assert host.find("heads", "HeatmapHead").plugin == "good"
    assert sorted(host.plugins) == ["good"]
    assert sum(len(registry) for registry in host.registries.values()) == 1
    assert [failure.name for failure in host.failures] == ["bad"]
    assert reason in host.failures[0].reason


@pytest.mark.parametrize("value", ["no_such_module", "good:no_such_attribute"])
def test_an_entry_point_that_leads_nowhere_is_skipped(write_plugin, value):
    broken = EntryPoint("bad", value, ENTRY_POINT_GROUP)

    host = PluginHost.from_entry_points([broken, write_plugin("good", GOOD)])

    assert (list(host.plugins), [f.name for f in host.failures]) == (["good"], ["bad"])


def test_a_damaged_installation_is_skipped(write_plugin):
    class Damaged:
        name = "bad"
        value = "good"

        @property
        def dist(self):
            raise KeyError("Name")

    host = PluginHost.from_entry_points([Damaged(), write_plugin("good", GOOD)])

    assert (list(host.plugins), [f.name for f in host.failures]) == (["good"], ["bad"])


def test_two_plugins_of_one_name_the_second_is_dropped(write_plugin):
    first, second = write_plugin("good", GOOD), write_plugin("other", GOOD)
    renamed = EntryPoint("good", second.value, ENTRY_POINT_GROUP)

    host = PluginHost.from_entry_points([renamed, first])

    assert host.plugins["good"].location == "good"
    assert [f.reason for f in host.failures] == ["another plugin is already named 'good'"]


def test_one_module_under_two_names_is_refused(write_plugin):
    entry_point = write_plugin("good", GOOD)
    again = EntryPoint("twin", entry_point.value, ENTRY_POINT_GROUP)

    host = PluginHost.from_entry_points([entry_point, again])

    assert [f.reason for f in host.failures] == ["the same plugin is already registered as 'good'"]


def test_an_installed_plugin_is_known_with_distribution_and_version():
    found = [ep for ep in entry_points(group=ENTRY_POINT_GROUP) if ep.name == "heatmap"]

    info = PluginHost.from_entry_points(found).plugins["heatmap"]

    assert info.distribution == "dlcore"
    assert info.version == found[0].dist.version


def test_disabled_plugins_are_not_even_imported(write_plugin, monkeypatch):
    bad = write_plugin("bad", "raise SystemError")
    monkeypatch.setenv(DISABLE_VARIABLE, " bad ,,absent")

    host = PluginHost.from_entry_points([bad, write_plugin("good", GOOD)])

    assert host.disabled == ["bad"]
    assert host.failures == []
    assert list(host.plugins) == ["good"]
    with pytest.raises(UnknownComponentError, match="plugin 'bad' is disabled by DLCORE_DISABLE"):
        host.find("heads", "Missing")


def test_misspelt_names_of_disabled_plugins_are_known_with_the_nearest(write_plugin, monkeypatch):
    monkeypatch.setenv(DISABLE_VARIABLE, "goood,xyz,good")

    host = PluginHost.from_entry_points([write_plugin("good", GOOD)])

    assert host.not_disabled == {"goood": "good", "xyz": None}
    assert host.disabled == ["good"]


def test_a_plugin_that_failed_can_be_added_again_when_it_is_mended():
    host = PluginHost()
    bad = ModuleType("bad")
    bad.register_heads = hookimpl(lambda: 1 / 0)

    with pytest.raises(PluginError, match="ZeroDivisionError"):
        host.add(bad, name="mine")
    host.add(plugin(heads=["Good"]), name="mine")

    assert host.registries["heads"].names() == ["Good"]


def test_an_interrupt_is_not_taken_for_a_broken_plugin(write_plugin):
    with pytest.raises(KeyboardInterrupt):
        PluginHost.from_entry_points([write_plugin("slow", "raise KeyboardInterrupt")])


def test_an_optional_hook_of_a_later_version_is_no_error():
    module = plugin(heads=["Good"])
    module.register_dreams = hookimpl(lambda: [], optionalhook=True)
    host = PluginHost()

    host.add(module, name="modern")

    assert host.registries["heads"].names() == ["Good"]


def test_one_plugin_may_offer_one_name_in_several_kinds():
    host = PluginHost()
    host.add(plugin(heads=["Same"], necks=["Same"]), name="p")

    assert [kind for kind, _ in host.find_any("Same")] == ["necks", "heads"]
    assert [kind for kind, _ in host.find_any("p/Same")] == ["necks", "heads"]


def test_ambiguous_names_must_be_qualified():
    host = PluginHost()
    host.add(plugin(heads=["Same"]), name="a")
    host.add(plugin(heads=["Same"]), name="b")

    with pytest.raises(AmbiguousComponentError, match="write one of: a/Same, b/Same"):
        host.find("heads", "Same")
    assert host.find("heads", "b/Same").plugin == "b"
    assert [entry.plugin for _, entry in host.find_any("Same")] == ["a", "b"]


@pytest.mark.timeout(20)
def test_an_unknown_name_explains_itself():
    host = PluginHost.from_entry_points([EntryPoint("gone", "no_such_module", ENTRY_POINT_GROUP)])
    host.add(plugin(heads=["HeatmapHead"], necks=["Transformer"]), name="p")

    with pytest.raises(UnknownComponentError) as caught:
        host.find("necks", "HeatmapHead")

    assert str(caught.value) == (
        "no plugin offers a neck named 'HeatmapHead'\n"
        "  'HeatmapHead' is a head, not a neck\n"
        "  plugin 'gone' failed to load: ModuleNotFoundError: No module named 'no_such_module'\n"
        "  known necks: Transformer"
    )


def test_a_plugin_that_is_not_installed_is_named():
    host = PluginHost()
    host.add(plugin(heads=["HeatmapHead"]), name="p")

    with pytest.raises(UnknownComponentError, match="no plugin named 'acme' is installed"):
        host.find("heads", "acme/HeatmapHead")
    with pytest.raises(UnknownComponentError, match="no plugin named 'acme' is installed"):
        host.find_any("acme/HeatmapHead")


def test_find_any_suggests_over_all_kinds():
    host = PluginHost()
    host.add(plugin(heads=["HeatmapHead"], necks=["Transformer"]), name="p")

    with pytest.raises(UnknownComponentError) as caught:
        host.find_any("Transfomer")

    assert str(caught.value) == (
        "no plugin offers a component named 'Transfomer'\n"
        "  did you mean 'Transformer'? (from plugin 'p')"
    )


def test_a_file_is_a_plugin_and_its_classes_are_found(write_file):
    path = write_file(
        "my_plugin.py", GOOD.replace("good:", "my_plugin:") + "\nclass HeatmapHead: ...\n"
    )
    host = PluginHost()

    host.add_file(path)

    entry = host.find("heads", "my_plugin/HeatmapHead")
    assert entry.component.load().__name__ == "HeatmapHead"
    info = host.plugins["my_plugin"]
    assert (info.distribution, info.version, info.location) == (None, None, str(path))


def test_a_file_may_be_named_twice(write_file):
    path = write_file("my_plugin.py")
    host = PluginHost()

    host.add_file(path)
    host.add_file(path)

    assert len(host.registries["heads"]) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my-plugin.py", "rename the file to letters, digits and underscores"),
        ("my_plugin.txt", r"its name must end with \.py"),
        ("json.py", "has the name of an installed module; rename the file"),
        ("torchvision.py", "has the name of an installed module; rename the file"),
        ("sys.py", "has the name of an installed module; rename the file"),
    ],
)
def test_a_file_with_a_name_that_cannot_work_is_refused(write_file, name, reason):
    with pytest.raises(PluginError, match=reason):
        PluginHost().add_file(write_file(name))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(PluginError, match="there is no plugin file"):
        PluginHost().add_file(tmp_path / "absent.py")


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_told_and_leaves_no_trace(write_file, source, reason):
    path = write_file("my_broken_plugin.py", source)
    host = PluginHost()

    with pytest.raises(PluginError) as caught:
        host.add_file(path)

    assert str(caught.value).startswith(f"plugin file {str(path)!r}: ")
    assert reason in str(caught.value)
    assert "my_broken_plugin" not in sys.modules
    assert host.plugins == {}


def test_a_file_with_the_name_of_an_installed_plugin_is_refused(write_file):
    host = PluginHost()
    host.add(plugin(heads=["Good"]), name="my_plugin")

    with pytest.raises(PluginError, match="another plugin is already named 'my_plugin'"):
        host.add_file(write_file("my_plugin.py"))
    assert "my_plugin" not in sys.modules
