"""Predict a video and plot where each animal went, in a few lines.

    python examples/plot_trajectory.py runs/first mouse.mp4 --frames 500

Several animals are told apart here if the model knows them by identity; else let `dlcore predict`
track them and plot what it writes.

Open it as a notebook with jupytext or in an editor that knows `# %%` cells.
"""

# %% What to predict
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from dlcore.inference import load_model

parser = argparse.ArgumentParser(description="Plot the trajectories in a video.")
parser.add_argument("run", help="folder of a run")
parser.add_argument("video", type=Path)
parser.add_argument("--frames", type=int, default=None, help="only so many")
parser.add_argument("--keypoint", default=None, help="by default the first one")
parser.add_argument("--least-score", type=float, default=0.1)
parser.add_argument("--output", type=Path, default=Path("trajectory.png"))
options = parser.parse_args()

# %% Load the model, and find the poses frame by frame
model = load_model(options.run)
names = model.task.keypoints
keypoint = names.index(options.keypoint) if options.keypoint else 0
rows = []
for prediction in model.video(options.video, stop=options.frames):
    row = np.full((model.task.num_individuals, 3), np.nan)
    row[: len(prediction.poses)] = prediction.poses[:, keypoint]
    rows.append(row)
places = np.array(rows)  # (frames, individuals, 3): x, y, score

# %% Leave out what the model is not sure of
places[~(places[..., 2] >= options.least_score)] = np.nan
seen = np.isfinite(places[..., 0]).mean()
print(f"{len(places)} frames, {names[keypoint]} seen in {100 * seen:.0f} % of them")

# %% Plot
figure, (above, below) = plt.subplots(2, 1, figsize=(7, 8), height_ratios=(3, 1))
for individual, name in enumerate(model.task.individuals):
    above.plot(places[:, individual, 0], places[:, individual, 1], lw=0.8, label=name)
    below.plot(places[:, individual, 2], lw=0.8)
above.invert_yaxis()
above.set(aspect="equal", xlabel="x (pixels)", ylabel="y (pixels)", title=names[keypoint])
above.legend()
below.set(xlabel="frame", ylabel="score", ylim=(0, 1))
figure.tight_layout()
figure.savefig(options.output, dpi=150)
print(f"written: {options.output}")
