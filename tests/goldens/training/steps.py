"""Writes steps.json: twenty steps of training a small network in PyTorch, alone and under a teacher, as cpsd should do them.

Pictures, weights and labels follow from formulas that tests/training/steps.rs repeats, so that only results are kept.
Run in an environment with torch: python tests/goldens/training/steps.py
"""
import json
import zlib
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
IMAGES, SIDE, LABELS, STEPS = 12, 24, 5, 20
EMA = 0.9


def scattered(name, shape, scale):
    """Numbers scattered over (-scale, scale), with a phase that the name gives. Smooth formulas will not do here: they make
    layers of rank 2, whose training follows rounding errors."""
    n = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    x = torch.sin(n * 12.9898 + zlib.crc32(name.encode()) % 1000) * 43758.5453
    return ((x - torch.floor(x)) * 2 - 1).mul(scale).float().reshape(shape)


class Pair(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.bn(self.conv(x))


class Stage(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.down, self.first, self.second = Pair(inputs, width, 2), Pair(width, width, 1), Pair(width, width, 1)

    def forward(self, x):
        x = F.relu(self.down(x))
        return F.relu(x + self.second(F.relu(self.first(x))))


class Net(nn.Module):
    def __init__(self, prefix):
        super().__init__()
        self.stage1, self.stage2, self.fc = Stage(3, 32), Stage(32, 64), nn.Linear(64, LABELS)
        state = self.state_dict()
        for name, tensor in state.items():
            if tensor.dim() == 4:
                tensor.copy_(scattered(prefix + name, tensor.shape, (6 / tensor[0].numel()) ** 0.5))
            elif tensor.dim() == 2:
                tensor.copy_(scattered(prefix + name, tensor.shape, 0.3))
            elif name.endswith(("bn.weight", "running_var")):
                tensor.fill_(1.0)
            elif tensor.dim() == 1:
                tensor.zero_()

    def forward(self, x):
        return self.fc(self.stage2(self.stage1(x)).mean((2, 3)))


def asl(logits, targets):
    """Ridnik et al. 2021: gamma 4 and 0, clip 0.05, the focal weights outside of the graph."""
    p = torch.sigmoid(logits)
    q = (1 - p + 0.05).clamp(max=1)
    loss = targets * torch.log(p.clamp(min=1e-8)) + (1 - targets) * torch.log(q.clamp(min=1e-8))
    with torch.no_grad():
        pt = p * targets + q * (1 - targets)
        weight = torch.pow(1 - pt, 4 * (1 - targets))
    return -(loss * weight).sum()


def pictures():
    pixel = torch.arange(SIDE * SIDE * 3)
    x = torch.stack([((pixel + 1) * (pixel + 7 * i + 3) * 31 // 7) % 256 for i in range(IMAGES)])
    return (x.float() / 255 - 0.5).div(0.5).reshape(IMAGES, SIDE, SIDE, 3).permute(0, 3, 1, 2).contiguous()


def train(taught):
    x = pictures()
    y = torch.tensor([[float((i * 3 + j * j) % 4 == 0) for j in range(LABELS)] for i in range(IMAGES)])
    net, teacher = Net("student."), Net("teacher.").eval()
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() <= 1]
    optimiser = torch.optim.Adam([{"params": decayed, "weight_decay": 1e-2}, {"params": plain, "weight_decay": 0.0}], lr=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=5e-4, total_steps=STEPS, pct_start=0.1, cycle_momentum=not taught)
    average = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    losses = []
    for _ in range(STEPS):
        net.train()
        optimiser.zero_grad()
        logits = net(x)
        loss = asl(logits, y)
        if taught:
            with torch.no_grad():
                target = teacher(x)
            loss = loss + 0.05 * F.mse_loss(logits, target, reduction="sum")
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item() / IMAGES)
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                average[name].mul_(EMA).add_(tensor, alpha=1 - EMA)
    net.load_state_dict(average)
    net.eval()
    with torch.no_grad():
        return {"losses": losses, "averaged_logits": net(x).flatten().tolist()}


if __name__ == "__main__":
    goldens = {"torch": torch.__version__, "alone": train(False), "taught": train(True)}
    Path(__file__).with_name("steps.json").write_text(json.dumps(goldens, indent=1) + "\n")
