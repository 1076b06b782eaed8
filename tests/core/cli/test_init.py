"""`dlcore init`: from labelled data to a config that can be trained."""

import shlex
import sys
from pathlib import Path

import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.config.loading import load_config
from dlcore.plugin_host import DISABLE_VARIABLE, PluginHost
from tests.plugins.coco import files as coco
from tests.plugins.deeplabcut import projects

PLUGIN = '''
from torch import nn

from dlcore import Component, DlcoreError, hookimpl
from dlcore.interfaces import Backbone, FeatureSpec, NetType


class TinyBackbone(Backbone):
    """One convolution."""

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.features = FeatureSpec(channels=width, stride=2)
        self.layer = nn.Conv2d(3, width, 3, 2, 1)

    def forward(self, images):
        return self.layer(images)


class Tiny(NetType):
    """A net type of a stranger."""

    stride, parameters, gflops = 2, 0.0, 0.0
    width = 4

    def config(self, task):
        if task.num_individuals > 2:
            raise DlcoreError("net type 'tiny' finds two individuals at most")
        return {
            "net_type": "tiny",
            "method": "bu",
            "model": {
                "backbone": {"type": "TinyBackbone", "width": self.width},
                "heads": {
                    "bodypart": {
                        "type": "HeatmapHead",
                        "predictor": {"type": "HeatmapPredictor"},
                        "target_generator": {
                            "type": "HeatmapGaussianGenerator",
                            "num_heatmaps": "num_bodyparts",
                            "pos_dist_thresh": 5,
                        },
                        "criterion": {"heatmap": {"type": "WeightedMSECriterion"}},
                        "heatmap_config": {
                            "channels": ["backbone_output_channels", "num_bodyparts"],
                            "kernel_size": [3],
                            "strides": [2],
                        },
                    }
                },
            },
            "runner": {"optimizer": {"type": "AdamW", "params": {"lr": 1e-5}}},
        }


class Wrong(Tiny):
    """A net type with a mistake."""

    width = "wide"


@hookimpl
def register_backbones():
    return [Component("TinyBackbone", "tiny_plugin:TinyBackbone", summary="One convolution.")]


@hookimpl
def register_net_types():
    return [
        Component("tiny", "tiny_plugin:Tiny", summary="A network for tests."),
        Component("wrong", "tiny_plugin:Wrong", summary="A network that cannot be."),
    ]
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "tiny_plugin.py"
    path.write_text(PLUGIN, encoding="utf-8")
    yield path
    sys.modules.pop("tiny_plugin", None)


@pytest.fixture
def init(plugin, capsys):
    """Run `dlcore init` with the plugin; gives exit code, output and errors."""

    def run(source, *arguments, net_type="tiny"):
        chosen = ["--net-type", net_type] if net_type else []
        code = main(["init", str(source), *chosen, "--plugin", str(plugin), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def checked(path, plugin):
    """The values of a config that passes all checks, also when read by YAML 1.1."""
    host = PluginHost.from_entry_points()
    host.add_file(plugin)
    loaded = load_config(path, host)
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == loaded.values
    return loaded.values


def test_a_coco_folder_gets_a_config_with_its_data(tmp_path, init, plugin):
    coco.write_dataset(tmp_path / "data")

    code, out, err = init(tmp_path / "data", "--output", tmp_path / "run")

    assert code == 0, err
    path = tmp_path / "run" / "pytorch_config.yaml"
    values = checked(path, plugin)
    assert values["dataset"] == {"type": "COCOLoader", "root": str(tmp_path / "data")}
    assert values["metadata"]["bodyparts"] == list(coco.NAMES)
    assert values["metadata"]["individuals"] == ["individual0"]
    assert values["metadata"]["project_path"] == str(tmp_path / "data")
    assert values["metadata"]["pose_config_path"] == str(path)
    assert values["net_type"] == "tiny"
    assert "2 train images, 1 test images; 3 bodyparts; at most 1 individual(s)" in out
    assert out.splitlines()[-1] == f"next: dlcore train {shlex.quote(str(path))}"
    assert [p.name for p in path.parent.iterdir()] == ["pytorch_config.yaml"]


def test_a_coco_folder_needs_an_output(tmp_path, init):
    coco.write_dataset(tmp_path / "data")

    code, _, err = init(tmp_path / "data")

    assert code == 1
    assert "name a folder with --output" in err


def test_a_shuffle_of_a_project_gets_its_config_where_deeplabcut_has_it(tmp_path, init, plugin):
    path = projects.write_project(tmp_path / "project")

    code, out, _ = init(tmp_path / "project")

    assert code == 0
    assert f"wrote {path}" in out
    values = checked(path, plugin)
    assert "dataset" not in values
    assert values["metadata"]["individuals"] == ["individual_1"]


def test_the_shuffle_can_be_chosen(tmp_path, init, plugin):
    projects.write_project(tmp_path / "project")
    path = projects.write_shuffle(
        tmp_path / "project", projects.label_frame(), train=[1], test=[3], shuffle=4
    )

    code, out, _ = init(tmp_path / "project", "--shuffle", "4")
    assert code == 0
    assert f"wrote {path}" in out
    assert "1 train images, 1 test images" in out

    code, _, _ = init(tmp_path / "project", "--shuffle", "4", "--output", tmp_path / "run")
    assert code == 0
    assert checked(tmp_path / "run" / "pytorch_config.yaml", plugin)["dataset"] == {
        "type": "DLCLoader",
        "project": str(tmp_path / "project"),
        "shuffle": 4,
    }


def test_a_shuffle_that_is_not_there_is_an_error(tmp_path, init):
    projects.write_project(tmp_path / "project")

    code, _, err = init(tmp_path / "project", "--shuffle", "9", "--output", tmp_path / "run")

    assert code == 1
    assert "no split of shuffle 9" in err
    assert not (tmp_path / "run").exists()


def test_a_project_without_shuffles_is_split_and_that_is_said(tmp_path, init, plugin):
    project = tmp_path / "project"
    projects.write_config(project)
    projects.write_images(project / "labeled-data" / "vid1")
    projects.write_table(
        project / "labeled-data" / "vid1" / "CollectedData_me", projects.label_frame()
    )

    assert init(project)[0] == 1
    code, out, err = init(project / "config.yaml", "--output", tmp_path / "run")

    assert code == 0
    assert "3 train images, 3 test images" in out
    assert "the project has no shuffles" in err
    values = checked(tmp_path / "run" / "pytorch_config.yaml", plugin)
    assert values["dataset"] == {"type": "DLCLoader", "project": str(project)}
    assert values["metadata"]["project_path"] == str(project)


def test_a_config_that_is_there_stays_unless_forced(tmp_path, init, plugin):
    path = projects.write_project(tmp_path / "project")
    path.write_text("# mine\n", encoding="utf-8")

    code, _, err = init(tmp_path / "project")
    assert code == 1
    assert "is already there; write elsewhere with --output, or replace it with --force" in err
    assert path.read_text(encoding="utf-8") == "# mine\n"

    assert init(tmp_path / "project", "--force")[0] == 0
    assert checked(path, plugin)["net_type"] == "tiny"


def test_an_unknown_net_type_lists_all(tmp_path, init):
    coco.write_dataset(tmp_path / "data")

    code, _, err = init(tmp_path / "data", "--output", tmp_path / "run", net_type="tinny")

    assert code == 1
    assert "did you mean 'tiny'?" in err
    assert "A network for tests." in err
    assert "resnet_50" in err


@pytest.mark.parametrize(
    ("device", "net_type", "reason"),
    [
        ("cpu", "light_efficientnet", "because no GPU was found"),
        ("cuda", "resnet_50", "because there is a GPU (cuda)"),
        ("mps", "resnet_50", "because there is a GPU (mps)"),
    ],
)
def test_without_a_net_type_one_is_chosen_for_the_machine(
    tmp_path, init, plugin, monkeypatch, device, net_type, reason
):
    monkeypatch.setattr(
        "dlcore.engine.devices.resolve_device", lambda requested: torch.device(device)
    )
    coco.write_dataset(tmp_path / "data")

    code, out, err = init(tmp_path / "data", "--output", tmp_path / "run", net_type=None)

    assert code == 0, err
    said = out.splitlines()[0]
    assert said.startswith(f"net type: {net_type}, {reason}; choose another with --net-type")
    assert checked(tmp_path / "run" / "pytorch_config.yaml", plugin)["net_type"] == net_type


def test_without_a_net_type_and_a_default_all_are_listed(tmp_path, init, monkeypatch):
    monkeypatch.setenv(DISABLE_VARIABLE, "timm_backbones,deeplabcut")

    code, _, err = init(tmp_path, net_type=None)

    assert code == 2
    assert "choose an architecture with --net-type" in err
    assert "A network for tests." in err


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_source_that_nothing_reads_is_an_error(name, tmp_path, init):
    (tmp_path / "empty").mkdir()

    code, _, err = init(tmp_path / name, "--output", tmp_path / "run")

    assert code == 1
    expected = "there is no file or folder" if name == "nothing" else "DLCLoader"
    assert expected in err


SECOND_READER = '''
from dlcore import Component, hookimpl
from dlcore_plugins.coco.dataset import COCOLoader


class Reader(COCOLoader):
    """Reads what another dataset reads too."""


@hookimpl
def register_datasets():
    return [Component("Reader", "second_reader:Reader"), Component("Broken", "nowhere:Broken")]
'''


def test_a_source_that_two_plugins_read_is_an_error_and_a_broken_reader_is_told(tmp_path, init):
    coco.write_dataset(tmp_path / "data")
    path = tmp_path / "second_reader.py"
    path.write_text(SECOND_READER, encoding="utf-8")

    code, _, err = init(tmp_path / "data", "--output", tmp_path / "run", "--plugin", path)
    sys.modules.pop("second_reader", None)

    assert code == 1
    assert "several plugins can read" in err
    assert "COCOLoader, Reader" in err
    assert "warning: component 'Broken' is registered, but importing nowhere:Broken failed" in err


def test_a_shuffle_of_coco_data_is_an_error(tmp_path, init):
    coco.write_dataset(tmp_path / "data")

    code, _, err = init(tmp_path / "data", "--shuffle", "1", "--output", tmp_path / "run")

    assert code == 1
    assert "COCOLoader, which has no option 'shuffle'" in err


def test_a_net_type_that_cannot_do_the_task_says_so(tmp_path, init):
    several = coco.content(1, [coco.person(1, i) for i in range(3)])
    coco.write_dataset(tmp_path / "data", several)

    code, _, err = init(tmp_path / "data", "--output", tmp_path / "run")

    assert code == 1
    assert "finds two individuals at most" in err
    assert not (tmp_path / "run").exists()


def test_a_net_type_with_a_mistake_leaves_no_file(tmp_path, init):
    coco.write_dataset(tmp_path / "data")

    code, _, err = init(tmp_path / "data", "--output", tmp_path / "run", net_type="wrong")

    assert code == 1
    assert "net type 'wrong' gives a config that is not right" in err
    assert "model.backbone.width" in err
    assert list((tmp_path / "run").iterdir()) == []


def test_broken_data_leave_no_file(tmp_path, init):
    coco.write_dataset(tmp_path / "data")
    (tmp_path / "data" / "images" / "img1.png").unlink()

    code, _, err = init(tmp_path / "data", "--output", tmp_path / "run")

    assert code == 1
    assert "img1.png" in err
    assert not (tmp_path / "run").exists()


def test_an_output_that_is_no_folder_is_an_error(tmp_path, init):
    coco.write_dataset(tmp_path / "data")
    (tmp_path / "run").write_text("", encoding="utf-8")

    code, _, err = init(tmp_path / "data", "--output", tmp_path / "run" / "below")

    assert code == 1
    assert "below" in err


def test_the_resnet_of_deeplabcut_for_a_project(tmp_path, init, plugin):
    path = projects.write_project(tmp_path / "project")

    code, _, err = init(tmp_path / "project", net_type="resnet_50")

    assert code == 0, err
    values = checked(path, plugin)
    assert values["model"]["heads"]["bodypart"]["target_generator"]["num_heatmaps"] == 3
    assert values["runner"]["scheduler"]["params"]["lr_list"] == [[1e-4], [1e-5]]
    assert "1.0e-05" in path.read_text(encoding="utf-8")


def test_a_top_down_config_tells_its_detector(tmp_path, init, plugin):
    coco.write_dataset(tmp_path / "data")

    code, out, err = init(
        *(tmp_path / "data", "--output", tmp_path / "run"), net_type="top_down_cspnext_s"
    )

    assert code == 0, err
    assert "detector: SSDLite, trained first, for 250 epochs; --detector NAME" in out
    path = tmp_path / "run" / "pytorch_config.yaml"
    assert checked(path, plugin)["detector"]["model"]["type"] == "SSDLite"


def test_another_detector_and_other_values_can_be_asked_for(tmp_path, init, plugin):
    coco.write_dataset(tmp_path / "data")

    code, out, err = init(
        *(tmp_path / "data", "--output", tmp_path / "run", "--detector", "fcos"),
        *("--set", "detector.train_settings.epochs=3", "--set", "train_settings.batch_size=2"),
        net_type="rtmpose_s",
    )

    assert code == 0, err
    assert "detector: FCOS, trained first, for 3 epochs" in out
    values = checked(tmp_path / "run" / "pytorch_config.yaml", plugin)
    assert values["detector"]["model"]["type"] == "FCOS"
    assert values["detector"]["train_settings"]["batch_size"] == 1
    assert values["train_settings"]["batch_size"] == 2
    assert values["train_settings"]["epochs"] == 400


def test_a_value_that_is_not_right_leaves_no_file(tmp_path, init):
    coco.write_dataset(tmp_path / "data")

    code, _, err = init(
        *(tmp_path / "data", "--output", tmp_path / "run"),
        *("--set", "train_settings.batchsize=2"),
    )

    assert code == 1
    assert "net type 'tiny' with what --set changes gives a config that is not right" in err
    assert "did you mean 'batch_size'?" in err
    assert list((tmp_path / "run").iterdir()) == []


def test_a_conditional_config_tells_what_is_still_missing(tmp_path, init, plugin):
    coco.write_dataset(tmp_path / "data")
    arguments = (tmp_path / "data", "--output", tmp_path / "run")

    code, out, err = init(*arguments, net_type="ctd_coam_w32")

    assert code == 0, err
    assert "say under inference.conditions where they come from" in out
    path = tmp_path / "run" / "pytorch_config.yaml"
    assert checked(path, plugin)["inference"] == {"conditions": None}
    assert "{config_path, snapshot_path} of a run" in path.read_text(encoding="utf-8")

    given = "inference.conditions={filepath: poses.h5}"
    code, out, err = init(*arguments, "--force", "--set", given, net_type="ctd_coam_w32")
    assert code == 0, err
    assert "inference.conditions" not in out
    assert checked(path, plugin)["inference"] == {"conditions": {"filepath": "poses.h5"}}


def test_paths_with_spaces_can_be_copied_into_a_shell(tmp_path, init):
    coco.write_dataset(tmp_path / "my data")

    _, out, _ = init(tmp_path / "my data", "--output", tmp_path / "my run")

    command = shlex.split(out.splitlines()[-1].removeprefix("next: "))
    assert command[:2] == ["dlcore", "train"]
    assert Path(command[2]).is_file()
