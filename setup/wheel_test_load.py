"""Compares the outputs of cpsd.load with those of the program, in an environment with torch and timm."""

import os
import shutil
import tempfile
from pathlib import Path

import cpsd
import numpy
import torch

# Backbone, and options of the model beside labels.
CASES = [
    ("small_cnn", 'head: "csra", head_options: #{heads: 2}, stages: 3, image_size: 48'),
    ("resnet18", "image_size: 64"),
    ("resnet50", "image_size: 64, stages: 3"),
    ("efficientnet_lite0", "image_size: 96"),
    ("efficientnet_lite0", 'image_size: 75, stages: 5, head: "conv"'),
    ("convnext_tiny", "image_size: 64"),
    ("convnext_tiny", 'image_size: 64, head: "conv"'),
    ("tresnet_m", "image_size: 64"),
    ("vit_small_patch14_reg4_dinov2", "image_size: 56"),
    ("vit_small_patch14_dinov2", 'image_size: 56, stages: 3, head: "conv"'),
]
DATA = 'dataset("emoji-scenes", #{train: 24, val: 8, test: 8, test_shifted: 8, size: 32})'


def compare(backbone, options):
    """Random weights; batch norms have seen a batch in the trained case below."""
    outputs = cpsd.eval(
        f"""let m = model("{backbone}", #{{labels: ["a", "b", "c"], seed: 3, {options}}});
m.save("model.safetensors");
let x = (rand([2, 3, m.image_size, m.image_size], 5) * 255.0).to("uint8");
save_tensors(x, "x.npy");
m.forward(m.normalise(x))"""
    )
    model = cpsd.load("model.safetensors")
    with torch.no_grad():
        came = model(model.normalise(torch.from_numpy(numpy.load("x.npy")))).numpy()
    gap = numpy.abs(came - numpy.array(outputs)).max()
    assert gap < 1e-4, (backbone, options, gap)
    print(f"== wheel: cpsd.load: {backbone}, {options}: {gap:.1e} from the program's")


def trained():
    """A run, by its name; pictures of the data set."""
    training = f"""let data = {DATA};
let m = train_teacher(data, ["dog", "person"], #{{model: #{{backbone: "small_cnn", head: "gap", image_size: 32}}, epochs: 2, batch: 8, name: "two"}});
save_tensors(data.test.pictures(0..8, #{{size: 32}}), "pictures.npy");
m.labels"""
    labels = cpsd.eval(training, store="runs")
    expected = cpsd.predictions("two", DATA, store="runs")
    model = cpsd.load("two", store="runs")
    assert model.labels == labels == expected.labels and model.image_size == 32 and model.mean == [0.5, 0.5, 0.5]
    gap = numpy.abs(model.predict(torch.from_numpy(numpy.load("pictures.npy"))).numpy() - expected.scores).max()
    assert gap < 1e-4, gap
    print(f"== wheel: cpsd.load: a trained run: {gap:.1e} from the program's")


def refused():
    cpsd.eval('model("small_cnn", #{labels: ["a"], image_size: 32, head: "q2l"}).save("q2l.safetensors")')
    try:
        cpsd.load("q2l.safetensors")
    except NotImplementedError as error:
        assert 'head "q2l" has no form in Python; gap, conv, csra have one' in str(error), error
    else:
        raise AssertionError("no error came")


folder = Path(tempfile.mkdtemp(prefix="cpsd-wheel-"))
os.chdir(folder)
for case in CASES:
    compare(*case)
trained()
refused()
shutil.rmtree(folder)
