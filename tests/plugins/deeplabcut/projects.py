"""Small DeepLabCut projects, written as DeepLabCut writes them."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import yaml

SIZE = (60, 40)  # width, height
BODYPARTS = ("snout", "leftear", "rightear")
SCORER = "me"
NUM_IMAGES = 6


def label_frame(
    individuals: Sequence[str] = (),
    unique: Sequence[str] = (),
    *,
    bodyparts: Sequence[str] = BODYPARTS,
    num_images: int = NUM_IMAGES,
    scorer: str = SCORER,
    video: str = "vid1",
    windows: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Labels inside the images; with individuals the columns have a level for them."""
    if individuals:
        columns = [
            (scorer, name, part, axis)
            for name, parts in [*((i, bodyparts) for i in individuals), ("single", unique)]
            for part in parts
            for axis in "xy"
        ]
        names = ["scorer", "individuals", "bodyparts", "coords"]
    else:
        columns = [(scorer, part, axis) for part in bodyparts for axis in "xy"]
        names = ["scorer", "bodyparts", "coords"]
    rng = np.random.default_rng(seed)
    values = rng.uniform(1, 39, (num_images, len(columns)))
    images = [f"img{i:03d}.png" for i in range(num_images)]
    index = (
        pd.Index([f"labeled-data\\{video}\\{image}" for image in images])
        if windows
        else pd.MultiIndex.from_tuples([("labeled-data", video, image) for image in images])
    )
    return pd.DataFrame(
        values, index=index, columns=pd.MultiIndex.from_tuples(columns, names=names)
    )


def places(frame: pd.DataFrame, *names: str) -> np.ndarray:
    """x and y (rows, 2) of a bodypart, named by individual and bodypart or by bodypart alone."""
    return frame[[c for c in frame.columns if c[1:-1] == names]].to_numpy()


def write_table(stem: Path, frame: pd.DataFrame, *, formats: str = "h5 csv") -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    if "h5" in formats:
        frame.to_hdf(f"{stem}.h5", key="df_with_missing", mode="w")
    if "csv" in formats:
        frame.to_csv(f"{stem}.csv")


def write_images(folder: Path, num_images: int = NUM_IMAGES, size: tuple[int, int] = SIZE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num_images):
        image = np.full((size[1], size[0], 3), 40 + i, dtype=np.uint8)
        assert cv2.imwrite(str(folder / f"img{i:03d}.png"), image)


def write_config(project: Path, **changes: Any) -> Path:
    """A config.yaml as of a project that was made elsewhere."""
    values = {
        "Task": "mice",
        "scorer": SCORER,
        "date": "Jan1",
        "multianimalproject": False,
        "identity": None,
        "project_path": "C:\\Users\\me\\mice-me-2024-01-01",
        "bodyparts": list(BODYPARTS),
        "skeleton": [["snout", "leftear"], ["bodypart1", "objectA"]],
        "TrainingFraction": [0.5, 0.29],
        "iteration": 0,
        **changes,
    }
    project.mkdir(parents=True, exist_ok=True)
    path = project / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def multi_config(individuals: Sequence[str], unique: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "multianimalproject": True,
        "bodyparts": "MULTI!",
        "multianimalbodyparts": list(BODYPARTS),
        "individuals": list(individuals),
        "uniquebodyparts": list(unique),
    }


def training_folder(project: Path) -> Path:
    return project / "training-datasets" / "iteration-0" / "UnaugmentedDataSet_miceJan1"


def write_shuffle(
    project: Path,
    frame: pd.DataFrame,
    *,
    train: Sequence[int] = (4, 0, 2),
    test: Sequence[int] = (5, 1, 3),
    percent: int = 50,
    shuffle: int = 1,
    formats: str = "h5 csv",
) -> Path:
    """Merged labels, the split, and a train folder; gives the place of the model's config."""
    folder = training_folder(project)
    write_table(folder / f"CollectedData_{SCORER}", frame, formats=formats)
    data = [{"image": ("labeled-data", "vid1", "img000.png"), "size": np.array([3, 40, 60])}]
    content = [data, np.array(train, int), np.array(test, int), np.float64(percent / 100)]
    path = folder / f"Documentation_data-mice_{percent}shuffle{shuffle}.pickle"
    path.write_bytes(pickle.dumps(content))
    name = f"miceJan1-trainset{percent}shuffle{shuffle}"
    train_folder = project / "dlc-models-pytorch" / "iteration-0" / name / "train"
    train_folder.mkdir(parents=True, exist_ok=True)
    return train_folder / "pytorch_config.yaml"


def write_project(project: Path, frame: pd.DataFrame | None = None, **config: Any) -> Path:
    """A whole project with one shuffle; gives the place of the shuffle's config."""
    frame = label_frame() if frame is None else frame
    write_config(project, **config)
    write_images(project / "labeled-data" / "vid1", len(frame))
    write_table(project / "labeled-data" / "vid1" / f"CollectedData_{SCORER}", frame)
    return write_shuffle(project, frame)
