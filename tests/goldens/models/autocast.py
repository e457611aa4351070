"""Writes autocast.json: logits of the backbones of generate.py under PyTorch's own bfloat16 autocast on the CPU.

    python tests/goldens/models/autocast.py
"""
import json
from pathlib import Path

import torch
from generate import SPECS, fill, formula

goldens = {"torch": torch.__version__}
for name, (make, _, size, _, _) in SPECS.items():
    model = make(10, size)
    fill(model)
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        goldens[name] = model(formula("input", (2, 3, size, size), 1.0)).float().flatten().tolist()
Path(__file__).with_name("autocast.json").write_text(json.dumps(goldens, indent=1) + "\n")
