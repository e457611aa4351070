"""The operations of the package randaugment 1.0.2 on a small picture: writes randaugment_uda.json.

    pip install randaugment==1.0.2 pillow numpy
    python tests/goldens/training/randaugment_uda.py
"""

import json
import random
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.pop(0)  # randaugment.py beside this file has the package's name
np.int = int  # the package uses a name that newer numpy no longer has
from randaugment import randaugment as package  # noqa: E402

H, W = 18, 20
CENTRE = (3, 16)


def picture():
    """Bytes by a formula, so that only results are kept: smooth, with a channel that does not use the whole range."""
    y, x, c = np.meshgrid(np.arange(H), np.arange(W), np.arange(3), indexing="ij")
    value = (y * 7 + x * 5 + c * 40 + (x * y) % 11 * 6) % 256
    value[..., 2] = 60 + value[..., 2] // 3
    return Image.fromarray(value.astype(np.uint8))


def applied(name, level, sign):
    """One operation alone: its own probability is 1, the second's 0, and what is random in it is fixed."""
    random.choice = lambda signs: sign
    centre = iter(CENTRE)
    np.random.randint = lambda low, high: next(centre)
    # random() is below 1, and never below 0.
    return package.SubPolicy(1.0, name, level, 0.0, "Invert", 1)(picture())


cases = []
for index, name in enumerate(package.RandAugment.get_trans_list()):
    for level in (1, 5, 9):
        positive, negative = applied(name, level, 1), applied(name, level, -1)
        cases.append({"index": index, "name": name, "level": level, "negative": False, "bytes": positive.tobytes().hex()})
        if negative.tobytes() != positive.tobytes():
            cases.append({"index": index, "name": name, "level": level, "negative": True, "bytes": negative.tobytes().hex()})
Path(__file__).with_name("randaugment_uda.json").write_text(
    json.dumps(
        {
            "randaugment": version("randaugment"),
            "pillow": version("pillow"),
            "height": H,
            "width": W,
            "centre": CENTRE,
            "cases": cases,
        },
        indent=0,
    )
    + "\n"
)
