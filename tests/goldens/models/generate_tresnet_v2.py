"""Writes tresnet_v2_l.json: as models.json, for timm's tresnet_v2_l. Run it in the environment of generate.py."""
import json
from pathlib import Path

import timm
import torch
import torchvision

from generate import TRESNET, case, features, fill, multiply_adds


def main():
    size, default = 64, 448
    make = lambda n: timm.create_model("tresnet_v2_l", num_classes=n)
    golden = case(make(10), size, TRESNET)
    model = make(10)
    fill(model)
    model.eval()
    golden["stages"] = features(model, size, [f"body.layer{i}" for i in range(1, 5)])
    golden["default_size"] = default
    for n in (1000, 10):
        golden[f"parameters_{n}"] = sum(p.numel() for p in make(n).parameters())
    golden["gmacs"] = round(multiply_adds(make(10), default), 3)
    golden["versions"] = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    (Path(__file__).parent / "tresnet_v2_l.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
