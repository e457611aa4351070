"""Parameters that have no gradient for some epochs, under PyTorch's optimisers: writes freezing.json.

    python tests/goldens/training/freezing.py
"""

import json
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)
PER_EPOCH, EPOCHS = 3, 5
# Whether the stage is frozen in each epoch.
FROZEN = [True, False, True, False, False]


def wave(n, f):
    return torch.tensor([f(float(i)) for i in range(n)])


def run(make):
    x = torch.sin(torch.arange(12.0) * 0.7).reshape(6, 2)
    y = torch.cos(torch.arange(6.0) * 0.3).reshape(6, 1)
    weight = torch.sin(torch.arange(4.0) * 1.3 + 0.4).reshape(2, 2).requires_grad_()
    head = torch.cos(torch.arange(2.0) * 2.1 + 0.2).reshape(1, 2).requires_grad_()
    bias = torch.full((1,), 0.5).requires_grad_()
    # Decay on parameters with more than one dimension.
    optimiser = make([{"params": [weight, head], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}])
    rows = []
    for update in range(PER_EPOCH * EPOCHS):
        weight.requires_grad_(not FROZEN[update // PER_EPOCH])
        optimiser.zero_grad(set_to_none=True)
        hidden = torch.tanh(x @ weight.T)
        (hidden @ head.T + bias - y).square().sum().backward()
        optimiser.step()
        rows.append(torch.cat([t.detach().flatten() for t in (weight, head, bias)]).tolist())
    return rows


makers = {
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.05),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.05),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.02, momentum=0.9),
}
cases = {name: run(make) for name, make in makers.items()}
Path(__file__).with_name("freezing.json").write_text(
    json.dumps({"torch": torch.__version__, "per_epoch": PER_EPOCH, "frozen": FROZEN, "cases": cases}) + "\n"
)
