"""Writes training.json: PyTorch's one-cycle rates, twenty steps of its Adam and AdamW, and the losses with their gradients.

Run in an environment with torch and torchvision:
    python tests/goldens/training/generate.py
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision

torch.set_num_threads(1)


def one_cycle(**options):
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, **options)
    rates, betas = [], []
    for _ in range(options["total_steps"]):
        rates.append(optimiser.param_groups[0]["lr"])
        betas.append(optimiser.param_groups[0]["betas"][0])
        optimiser.step()
        schedule.step()
    return {"options": options, "rates": rates, "betas": betas}


def adam(kind, decay):
    """A linear least-squares problem: weight [3, 4] decays, bias [3] does not; double precision."""
    n = torch.arange(24, dtype=torch.float64)
    x = torch.sin(n * 0.7).reshape(6, 4)
    y = torch.cos(n[:18] * 0.3).reshape(6, 3)
    weight = torch.sin(n[:12] * 1.3).reshape(3, 4).requires_grad_()
    bias = torch.cos(n[:3] * 2.1).requires_grad_()
    groups = [{"params": [weight], "weight_decay": decay}, {"params": [bias], "weight_decay": 0.0}]
    optimiser = getattr(torch.optim, kind)(groups, lr=0.05)
    for _ in range(20):
        optimiser.zero_grad()
        (F.linear(x, weight, bias) - y).square().sum().backward()
        optimiser.step()
    return {"decay": decay, "weight": weight.flatten().tolist(), "bias": bias.tolist()}


def asl(logits, targets, gamma_neg, gamma_pos, clip, eps):
    """Ridnik et al. 2021, with the focal weights outside of the graph."""
    p = torch.sigmoid(logits)
    q = 1 - p
    if clip > 0:
        q = (q + clip).clamp(max=1)
    loss = targets * torch.log(p.clamp(min=eps)) + (1 - targets) * torch.log(q.clamp(min=eps))
    with torch.no_grad():
        pt = p * targets + q * (1 - targets)
        weight = torch.pow(1 - pt, gamma_pos * targets + gamma_neg * (1 - targets))
    return -(loss * weight).sum()


def loss(function):
    n = torch.arange(12, dtype=torch.float64)
    logits = (torch.sin(n * 1.7) * 4).reshape(3, 4).requires_grad_()
    targets = (torch.cos(n * 2.3) > 0.2).double().reshape(3, 4)
    teacher = (torch.cos(n * 0.9) * 3).reshape(3, 4)
    value = function(logits, targets, teacher)
    value.backward()
    return {"value": value.item(), "gradient": logits.grad.flatten().tolist()}


T = 4.0


def bernoulli(s, t):
    p = torch.sigmoid(t / T)
    kl = p * (F.logsigmoid(t / T) - F.logsigmoid(s / T)) + (1 - p) * (F.logsigmoid(-t / T) - F.logsigmoid(-s / T))
    return kl.sum() * T * T


goldens = {
    "torch": torch.__version__,
    "one_cycle": [
        one_cycle(max_lr=1e-3, total_steps=20, pct_start=0.1),
        one_cycle(max_lr=3e-3, total_steps=97, pct_start=0.3, div_factor=10.0, final_div_factor=100.0),
    ],
    "adam": adam("Adam", 1e-2),
    "adamw": adam("AdamW", 1e-2),
    "losses": {
        "asl": loss(lambda s, y, t: asl(s, y, 4, 0, 0.05, 1e-8)),
        "asl_positive": loss(lambda s, y, t: asl(s, y, 2, 1, 0.0, 1e-5)),
        "bce": loss(lambda s, y, t: F.binary_cross_entropy_with_logits(s, y, reduction="sum")),
        "focal": loss(lambda s, y, t: torchvision.ops.sigmoid_focal_loss(s, y, reduction="sum")),
        "mse": loss(lambda s, y, t: F.mse_loss(s, t, reduction="sum")),
        "mse_probabilities": loss(lambda s, y, t: F.mse_loss(s.sigmoid(), t.sigmoid(), reduction="sum")),
        "kl_softmax": loss(lambda s, y, t: F.kl_div(F.log_softmax(s / T, -1), F.softmax(t / T, -1), reduction="sum") * T * T),
        "kl_bernoulli": loss(lambda s, y, t: bernoulli(s, t)),
    },
}
Path(__file__).with_name("training.json").write_text(json.dumps(goldens, indent=1) + "\n")
