"""Writes optimisers.json: twenty updates of PyTorch's optimisers under its schedules, with parameter groups.

Each case holds the options of cpsd, the rates of a parameter with factor 1, and all parameters after each update. Options that
a case leaves out are in COMMON. The problem is a network of two linear layers in double precision; tests/training/optimisers.rs
repeats its formulas.
Run in an environment with torch: python tests/goldens/training/optimisers.py
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

torch.set_num_threads(1)
EPOCHS, PER_EPOCH = 5, 4
UPDATES = EPOCHS * PER_EPOCH
COMMON = {"lr": 0.05, "schedule": "constant", "weight_decay": 0.01}
NAMES = ["stage1.weight", "head.weight", "head.bias"]


def digits(numbers):
    return [float(f"{number:.12g}") for number in numbers]


def train(options, make, schedulers=lambda optimiser: []):
    """`schedulers`: pairs of a scheduler and whether it moves per epoch instead of per update."""
    options = COMMON | options
    n = torch.arange(24, dtype=torch.float64)
    x = torch.sin(n[:12] * 0.7).reshape(6, 2)
    y = torch.cos(n[:6] * 0.3).reshape(6, 1)
    parameters = [
        torch.sin(n[:4] * 1.3 + 0.4).reshape(2, 2).requires_grad_(),
        torch.cos(n[:2] * 2.1 + 0.2).reshape(1, 2).requires_grad_(),
        torch.full((1,), 0.5, dtype=torch.float64).requires_grad_(),
    ]
    groups = []
    for name, parameter in zip(NAMES, parameters):
        decays = options.get("decay_on") == "all" or parameter.dim() > 1
        factor = options.get("lr_factors", {}).get(name.split(".")[0], 1.0)
        if not name.startswith("head"):
            factor *= options.get("backbone_lr", 1.0)
        groups.append(
            {"params": [parameter], "lr": options["lr"] * factor, "weight_decay": options["weight_decay"] * decays}
        )
    optimiser = make(groups)
    schedulers = schedulers(optimiser)
    unscaled = options.get("lr_factors", {}).get("head", 1.0)
    rates, steps = [], []
    for update in range(UPDATES):
        rates.append(optimiser.param_groups[2]["lr"] / unscaled)
        optimiser.zero_grad()
        weight, head, bias = parameters
        (F.linear(torch.tanh(F.linear(x, weight)), head, bias) - y).square().sum().backward()
        if "clip" in options:
            torch.nn.utils.clip_grad_norm_(parameters, options["clip"])
        optimiser.step()
        for scheduler, per_epoch in schedulers:
            if not per_epoch or (update + 1) % PER_EPOCH == 0:
                scheduler.step()
        steps.append(digits(value for parameter in parameters for value in parameter.detach().flatten().tolist()))
    return {"options": options, "rates": digits(rates), "parameters": steps}


def sgd(momentum=0.9, **options):
    return lambda groups: SGD(groups, momentum=momentum, **options)


def one_cycle(optimiser, **options):
    peaks = [group["lr"] for group in optimiser.param_groups]
    return [(OneCycleLR(optimiser, max_lr=peaks, total_steps=UPDATES, **options), False)]


# Half of the momentum's default: an error in it shows in the first updates.
SLOW = {"optimiser": "sgd", "momentum": 0.5}
CASES = {
    "sgd without momentum": train({"optimiser": "sgd", "momentum": 0.0}, sgd(momentum=0.0)),
    "sgd": train({"optimiser": "sgd"}, sgd()),
    "sgd, decay on all": train({"optimiser": "sgd", "decay_on": "all", "weight_decay": 0.1}, sgd()),
    "sgd, nesterov, rates by part": train(
        {"optimiser": "sgd", "nesterov": True, "lr_factors": {"stage1": 0.1, "head": 2.0}}, sgd(nesterov=True)
    ),
    "adam, decay on all": train({"optimiser": "adam", "decay_on": "all", "weight_decay": 0.1}, Adam),
    "adam, rates by part": train({"optimiser": "adam", "lr_factors": {"stage1": 0.5}, "backbone_lr": 0.2}, Adam),
    "adamw": train({"optimiser": "adamw", "weight_decay": 0.1}, AdamW),
    "adamw, decay on all, rates by part": train(
        {"optimiser": "adamw", "decay_on": "all", "weight_decay": 0.1, "lr_factors": {"stage1": 0.1}}, AdamW
    ),
    "sgd, onecycle": train(
        {"optimiser": "sgd", "schedule": "onecycle", "cycle_momentum": True, "pct_start": 0.2},
        sgd(),
        lambda o: one_cycle(o, pct_start=0.2),
    ),
    "sgd, onecycle without cycled momentum": train(
        {"optimiser": "sgd", "schedule": "onecycle", "nesterov": True, "div_factor": 10.0, "final_div_factor": 100.0},
        sgd(nesterov=True),
        lambda o: one_cycle(o, pct_start=0.1, div_factor=10.0, final_div_factor=100.0, cycle_momentum=False),
    ),
    "adamw, onecycle, as Query2Label": train(
        {"optimiser": "adamw", "schedule": "onecycle", "cycle_momentum": True, "decay_on": "all", "pct_start": 0.2},
        AdamW,
        lambda o: one_cycle(o, pct_start=0.2),
    ),
    "constant": train(SLOW, sgd(0.5), lambda o: [(ConstantLR(o, factor=1.0), True)]),
    "step, every so many epochs": train(
        SLOW | {"schedule": "step", "step_every": 2, "gamma": 0.3}, sgd(0.5), lambda o: [(StepLR(o, 2, 0.3), True)]
    ),
    "step, milestones": train(
        SLOW | {"schedule": "step", "milestones": [1, 4]}, sgd(0.5), lambda o: [(MultiStepLR(o, [1, 4], 0.1), True)]
    ),
    "step, milestones, rates by part": train(
        {"optimiser": "sgd", "schedule": "step", "milestones": [2, 3], "backbone_lr": 0.1},
        sgd(),
        lambda o: [(MultiStepLR(o, [2, 3], 0.1), True)],
    ),
    "step after a warm-up": train(
        SLOW | {"schedule": "step", "step_every": 2, "warmup": 1.5, "warmup_start": 0.25},
        sgd(0.5),
        lambda o: [(LinearLR(o, 0.25, 1.0, 6), False), (StepLR(o, 2, 0.1), True)],
    ),
    "cosine per update": train(
        SLOW | {"schedule": "cosine", "min_lr": 0.001}, sgd(0.5), lambda o: [(CosineAnnealingLR(o, UPDATES, 0.001), False)]
    ),
    "cosine per epoch": train(
        SLOW | {"schedule": "cosine", "min_lr": 0.001, "anneal_per": "epoch"},
        sgd(0.5),
        lambda o: [(CosineAnnealingLR(o, EPOCHS, 0.001), True)],
    ),
    "cosine after a warm-up": train(
        SLOW | {"schedule": "cosine", "warmup": 1.0, "warmup_start": 0.1, "lr_factors": {"stage1": 0.1}},
        sgd(0.5),
        lambda o: [(SequentialLR(o, [LinearLR(o, 0.1, 1.0, 4), CosineAnnealingLR(o, UPDATES - 4)], [4]), False)],
    ),
    "adam, cosine, clipped": train(
        {"optimiser": "adam", "schedule": "cosine", "clip": 0.5, "weight_decay": 0.1},
        Adam,
        lambda o: [(CosineAnnealingLR(o, UPDATES), False)],
    ),
    "adamw, cosine, clipped": train(
        {"optimiser": "adamw", "schedule": "cosine", "clip": 0.5, "weight_decay": 0.1},
        AdamW,
        lambda o: [(CosineAnnealingLR(o, UPDATES), False)],
    ),
    "sgd, nesterov, cosine, clipped": train(
        {"optimiser": "sgd", "nesterov": True, "schedule": "cosine", "clip": 0.5},
        sgd(nesterov=True),
        lambda o: [(CosineAnnealingLR(o, UPDATES), False)],
    ),
    # LinearLR refuses to start from 0.
    "constant after a warm-up from 0": train(
        SLOW | {"warmup": 0.75}, sgd(0.5), lambda o: [(LambdaLR(o, lambda update: min(1.0, update / 3)), False)]
    ),
    "a function": train(
        SLOW | {"schedule": {"script": {"code": "polynomial"}}},
        sgd(0.5),
        lambda o: [(LambdaLR(o, lambda update: math.pow(1 - update / UPDATES, 0.9)), False)],
    ),
}
goldens = {"torch": torch.__version__, "epochs": EPOCHS, "updates_per_epoch": PER_EPOCH, "cases": CASES}


def rows(value):
    """JSON with one line per list of numbers."""
    text = json.dumps(value)
    return text.replace("]], ", "]],\n").replace("], [", "],\n[").replace('}, "', '},\n"').replace(', "parameters"', ',\n"parameters"')


Path(__file__).with_name("optimisers.json").write_text(rows(goldens) + "\n")
