"""Writes teaching.json: twenty steps in PyTorch under soft targets, given outputs, a merged ensemble, features, and of two students that
learn from each other (deep mutual learning, both predictions before both updates).

Network, pictures and optimiser are those of steps.py. Run in an environment with torch: python tests/goldens/training/teaching.py
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F

from steps import EMA, IMAGES, LABELS, STEPS, Net, asl, pictures


def truth():
    return torch.tensor([[float((i * 3 + j * j) % 4 == 0) for j in range(LABELS)] for i in range(IMAGES)])


def soft():
    return torch.tensor([[((i * 3 + j * j) % 4) / 3 for j in range(LABELS)] for i in range(IMAGES)])


def outputs():
    return torch.tensor([[((i * 5 + j * 7) % 11 - 5) / 2 for j in range(LABELS)] for i in range(IMAGES)])


class Student:
    def __init__(self, prefix):
        self.net = Net(prefix)
        decayed = [p for p in self.net.parameters() if p.dim() > 1]
        plain = [p for p in self.net.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 1e-2}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.Adam(groups, lr=5e-4)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=5e-4, total_steps=STEPS, pct_start=0.1, cycle_momentum=False)
        self.average = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        self.losses = []

    def update(self, loss):
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.losses.append(loss.item() / IMAGES)
        for name, tensor in self.net.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].mul_(EMA).add_(tensor, alpha=1 - EMA)

    def result(self):
        self.net.load_state_dict(self.average)
        self.net.eval()
        with torch.no_grad():
            return {"losses": self.losses, "averaged_logits": self.net(pictures()).flatten().tolist()}


def stages(net, x):
    one = net.stage1(x)
    two = net.stage2(one)
    return net.fc(two.mean((2, 3))), one, two


def alone(loss):
    student, x = Student("student."), pictures()
    for _ in range(STEPS):
        student.net.train()
        student.update(loss(x, *stages(student.net, x)))
    return student.result()


def merged():
    teachers = [Net("teacher.").eval(), Net("second.").eval()]

    def loss(x, logits, *_):
        with torch.no_grad():
            target = torch.logit(torch.stack([torch.sigmoid(t(x).double()) for t in teachers]).mean(0)).float()
        return asl(logits, truth()) + 0.05 * F.mse_loss(logits, target, reduction="sum")

    return loss


def features():
    teacher = Net("teacher.").eval()

    def loss(x, logits, one, two):
        with torch.no_grad():
            of_teacher = stages(teacher, x)
        distance = (logits - of_teacher[0]).square().sum()
        for mine, theirs in [(one, of_teacher[1]), (two, of_teacher[2])]:
            distance = distance + (mine.square().mean(1) - theirs.square().mean(1)).square().sum()
        return asl(logits, truth()) + 0.05 * distance

    return loss


def bernoulli(p, q):
    """KL(p || q) per label, of logits."""
    of = lambda z: torch.distributions.Bernoulli(logits=z)
    return torch.distributions.kl_divergence(of(p), of(q)).sum()


def mutual():
    students, x = [Student("student."), Student("teacher.")], pictures()
    for _ in range(STEPS):
        for student in students:
            student.net.train()
        logits = [student.net(x) for student in students]
        losses = [asl(logits[i], truth()) + 2.0 * bernoulli(logits[1 - i].detach(), logits[i]) for i in range(2)]
        for student, loss in zip(students, losses):
            student.update(loss)
    return [student.result() for student in students]


goldens = {
    "torch": torch.__version__,
    "soft_targets": alone(lambda x, logits, *_: F.binary_cross_entropy_with_logits(logits, soft(), reduction="sum")),
    "outputs": alone(lambda x, logits, *_: asl(logits, truth()) + 0.05 * F.mse_loss(logits, outputs(), reduction="sum")),
    "merged": alone(merged()),
    "features": alone(features()),
    "mutual": mutual(),
}
Path(__file__).with_name("teaching.json").write_text(json.dumps(goldens, indent=1) + "\n")
