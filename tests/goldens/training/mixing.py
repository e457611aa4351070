"""MixUp and CutMix of torchvision with given shares and centres: writes mixing.json.

    python tests/goldens/training/mixing.py
"""

import json
from pathlib import Path
from unittest.mock import patch

import torch
import torchvision
from torchvision.transforms import v2

N, M, H, W = 3, 4, 4, 6


class Fixed:
    """In place of the beta distribution."""

    def __init__(self, share):
        self.share = share

    def sample(self, _=()):
        return torch.tensor([self.share], dtype=torch.float64)


def wave(shape, rate):
    n = torch.arange(int(torch.tensor(shape).prod()), dtype=torch.float64)
    return torch.sin(n * rate).float().reshape(shape)


pictures = wave([N, 3, H, W], 0.7)
labels = (wave([N, M], 1.3) > 0.2).float()
cases = []
for share in (0.13, 0.6):
    mixup = v2.MixUp(num_classes=M, alpha=1.0)
    mixup._dist = Fixed(share)
    mixed, targets = mixup(pictures, labels)
    cases.append({"kind": "mixup", "share": share, "pictures": [round(v, 9) for v in mixed.flatten().tolist()], "targets": [round(v, 9) for v in targets.flatten().tolist()]})
    for x, y in ((0, 0), (3, 2), (5, 3)):
        cutmix = v2.CutMix(num_classes=M, alpha=1.0)
        cutmix._dist = Fixed(share)
        drawn = iter([torch.tensor([x]), torch.tensor([y])])
        with patch("torch.randint", lambda *a, **k: next(drawn)):
            mixed, targets = cutmix(pictures, labels)
        cases.append(
            {"kind": "cutmix", "share": share, "x": x, "y": y, "pictures": [round(v, 9) for v in mixed.flatten().tolist()], "targets": [round(v, 9) for v in targets.flatten().tolist()]}
        )
Path(__file__).with_name("mixing.json").write_text(
    json.dumps({"torchvision": torchvision.__version__, "size": [N, M, H, W], "cases": cases}) + "\n"
)
