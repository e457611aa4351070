"""torchvision's RandAugment operations on a small picture: writes randaugment.json.

    python tests/goldens/training/randaugment.py
"""

import json
from pathlib import Path

import torch
import torchvision
from torchvision.transforms.autoaugment import _apply_op
from torchvision.transforms.functional import InterpolationMode

H, W = 18, 20


def picture():
    """Bytes by a formula, so that only results are kept: smooth, with a channel that does not use the whole range."""
    y, x, c = torch.meshgrid(torch.arange(H), torch.arange(W), torch.arange(3), indexing="ij")
    value = (y * 7 + x * 5 + c * 40 + (x * y) % 11 * 6) % 256
    value[..., 2] = 60 + value[..., 2] // 3
    return value.to(torch.uint8)


space = torchvision.transforms.RandAugment()._augmentation_space(31, (H, W))
cases = []
for index, (name, (magnitudes, signed)) in enumerate(space.items()):
    for level in (3, 9, 22):
        for negative in ([False, True] if signed else [False]):
            magnitude = float(magnitudes[level].item()) if magnitudes.ndim > 0 else 0.0
            if negative:
                magnitude = -magnitude
            image = picture().permute(2, 0, 1)
            out = _apply_op(image, name, magnitude, InterpolationMode.NEAREST, None).permute(1, 2, 0).flatten()
            cases.append({"index": index, "name": name, "level": level, "negative": negative, "bytes": bytes(out.tolist()).hex()})
        if magnitudes.ndim == 0:
            break
Path(__file__).with_name("randaugment.json").write_text(
    json.dumps({"torchvision": torchvision.__version__, "height": H, "width": W, "cases": cases}, indent=0) + "\n"
)
