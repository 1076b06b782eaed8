from __future__ import annotations

from tests.core.cli.test_main import HEAVY


def test_every_value_is_told_with_its_source(dlcore, config):
    done = dlcore("explain", config, "--set", "train_settings.epochs=50")

    lines = done.out.splitlines()
    assert done.code == 0
    assert 'line 1    net_type = "resnet_50"' in lines
    assert "line 29   runner.optimizer.params.lr = 0.0001" in lines
    assert "--set     train_settings.epochs = 50" in lines
    assert 'default   runner.precision = "auto"' in lines
    assert "default   model.heads.bodypart.predictor.location_refinement = " in done.out


def test_one_key_is_told_with_its_meaning(dlcore, config):
    done = dlcore("explain", config, "train_settings.batch_size")

    assert done.out == (
        "line 31   train_settings.batch_size = 4\n"
        "          Images in a batch; auto takes as many as fit and pay.\n"
    )


def test_a_section_is_told_whole(dlcore, config):
    out = dlcore("explain", config, "runner.optimizer").out

    keys = [line.split(" = ")[0].split()[-1] for line in out.splitlines() if " = " in line]
    assert keys[:2] == ["runner.optimizer.type", "runner.optimizer.params.lr"]
    assert all(key.startswith("runner.optimizer.") for key in keys)


def test_an_option_names_its_component(dlcore, config):
    out = dlcore("explain", config, "model.backbone.model_name").out

    assert "(option of timm_backbones/ResNet)" in " ".join(out.split())


def test_an_unknown_key_gets_a_near_name(dlcore, config):
    done = dlcore("explain", config, "train_setings")

    assert done.code == 1
    assert f"{config}: there is no key 'train_setings'; did you mean 'train_settings'?" in done.err


def test_a_config_with_errors_is_not_explained(dlcore, config):
    config.write_text("net_typ: resnet_50\n")

    done = dlcore("explain", config)

    assert (done.code, done.out) == (1, "")
    assert "did you mean 'net_type'?" in done.err


def test_explaining_imports_nothing_heavy(dlcore_process, config):
    done = dlcore_process("explain", config)

    assert done.code == 0, done.err
    assert not done.modules & HEAVY
