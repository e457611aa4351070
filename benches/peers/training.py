"""Holds cpsd's training against the usual PyTorch loop: the authors' recipe, the same network, batch and threads, one run.

    python benches/peers/training.py TRAINING_BINARY FOLDER [--images N] [--repeats N] [--tasks step,epoch,frozen] [--json]

Prints a table in Markdown, or a row of page.py as JSON per line: medians of seconds, ratio (peer / cpsd) and peak memory of each
process. Only the tasks called frozen need benches/frozen_features.rs, built: --frozen BINARY.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import page

BATCH, LABELS = 16, 20
# Of frozen stages: for each program the faster one counts.
BATCHES = (16, 64)
# The five rows with k = 3 are 46 units of work the authors' way (a forward pass 1, a backward pass 2: seven teachers and four students
# trained, 13 teachers asked on every batch) and 40 where each teacher is asked once. The goal of the ablation is 0.95 of 46 / 40.
TASKS = [
    ("input", "-", 224, 3.0), ("input", "-", 448, 3.0),
    ("step", "small_cnn", 224, 1.05), ("step", "resnet18", 224, 1.05), ("step", "resnet50", 224, 1.05),
    ("step", "efficientnet_lite0", 224, 1.05), ("step", "vit_small_patch14_dinov2", 224, 1.05),
    ("epoch", "small_cnn", 224, 1.1), ("epoch", "small_cnn", 448, 1.1), ("epoch", "resnet18", 224, 1.1), ("epoch", "resnet18", 448, 1.1),
    ("ablation", "small_cnn", 112, 1.09), ("sweep", "small_cnn", 112, 3.5),
    # cpsd's way of computing (frozen_compute), and PyTorch's.
    ("frozen", "exact/eager, channels last", 128, None), ("frozen", "folded/eager, channels last", 128, 2.0),
    ("frozen", "folded/torch.compile", 128, 1.2), ("frozen", "bfloat16/bf16 autocast", 128, None),
]


def frozen(way, size, batches):
    """Seconds of a picture through stem and five stages, the median of nine, of the faster size of batches."""
    import timm
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    net = torch.nn.Sequential(whole.conv_stem, whole.bn1, *whole.blocks[:5]).eval().to(memory_format=torch.channels_last)
    run = torch.compile(net) if way == "torch.compile" else net
    best = float("inf")
    for batch in batches:
        x = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
        seconds = []
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=way == "bf16 autocast"):
            run(x)
            for _ in range(9):
                start = time.perf_counter()
                run(x)
                seconds.append(time.perf_counter() - start)
        best = min(best, statistics.median(seconds) / batch)
    return best


def peer(task, net, size, folder, repeats):
    import glob
    import random

    import torch
    import torchvision
    from PIL import Image, ImageDraw
    from torchvision import transforms as T

    torch.set_num_threads(2)
    torch.manual_seed(0)

    class Cutout:
        def __init__(self, factor=0.5):
            self.factor = factor

        def __call__(self, image):
            if random.random() < 0.5:
                return image
            w, h = image.size
            y, x = random.randrange(h), random.randrange(w)
            dy, dx = int(h * self.factor) // 2, int(w * self.factor) // 2
            colour = tuple(random.randrange(256) for _ in range(3))
            ImageDraw.Draw(image).rectangle([max(x - dx, 0), max(y - dy, 0), min(x + dx, w), min(y + dy, h)], fill=colour)
            return image

    transform = T.Compose([T.Resize((size, size)), Cutout(), T.RandAugment(2, 9), T.ToTensor()])
    paths = sorted(glob.glob(folder + "/*.jpg"))

    class Files(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, i):
            target = torch.zeros(LABELS)
            target[[i % LABELS, (i * 7 + 3) % LABELS]] = 1
            return transform(Image.open(paths[i]).convert("RGB")), target

    def loader():
        return torch.utils.data.DataLoader(Files(), BATCH, shuffle=True, num_workers=2, drop_last=True, pin_memory=False)

    class Block(torch.nn.Module):
        """A stage of cpsd's small_cnn."""

        def __init__(self, i, o):
            super().__init__()
            conv = lambda a, b, s: torch.nn.Sequential(torch.nn.Conv2d(a, b, 3, s, 1, bias=False), torch.nn.BatchNorm2d(b))
            self.down, self.first, self.second = conv(i, o, 2), conv(o, o, 1), conv(o, o, 1)

        def forward(self, x):
            x = self.down(x).relu()
            return (x + self.second(self.first(x).relu())).relu()

    def network(m):
        if net.startswith("resnet"):
            return torchvision.models.get_model(net, num_classes=m)
        if net == "efficientnet_lite0":
            import timm

            return timm.create_model("tf_efficientnet_lite0", num_classes=m)
        if net.startswith("vit"):
            import timm

            return timm.create_model(net, num_classes=m, img_size=size)
        widths = [3, 32, 64, 128, 192]
        stages = [Block(a, b) for a, b in zip(widths, widths[1:])]
        return torch.nn.Sequential(*stages, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(192, m))

    def asl(logits, y):
        p = torch.sigmoid(logits)
        q = (1 - p + 0.05).clamp(max=1)
        loss = y * torch.log(p.clamp(min=1e-8)) + (1 - y) * torch.log(q.clamp(min=1e-8))
        with torch.no_grad():
            weight = torch.pow(1 - p * y - q * (1 - y), 4 * (1 - y))
        return -(loss * weight).sum()

    class Training:
        def __init__(self, m):
            self.model = network(m).train()
            self.average = network(m).eval()
            self.average.load_state_dict(self.model.state_dict())
            decay = [p for p in self.model.parameters() if p.dim() > 1]
            plain = [p for p in self.model.parameters() if p.dim() <= 1]
            self.optimiser = torch.optim.Adam([{"params": plain, "weight_decay": 0}, {"params": decay, "weight_decay": 1e-4}], lr=1e-4)

        def step(self, x, y, teachers=(), weight=1.0, distance="mse"):
            logits = self.model(x)
            loss = asl(logits, y)
            if teachers:
                with torch.no_grad():
                    outputs = [t.model(x) for t in teachers]
                for group in outputs:
                    own = logits[:, : group.shape[1]]
                    if distance == "mse":
                        loss = loss + 0.25 * weight * ((own - group) ** 2).sum()
                    else:
                        p, q = torch.sigmoid(group), torch.sigmoid(own)
                        both = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
                        loss = loss + 0.25 * weight * both.sum()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            with torch.no_grad():
                for a, b in zip(self.average.state_dict().values(), self.model.state_dict().values()):
                    a.copy_(0.9997 * a + (1 - 0.9997) * b)

        def epochs(self, n, m, teachers=(), **of_step):
            for t in teachers:
                t.model.eval()
            for _ in range(n):
                for x, y in loader():
                    self.step(x, y[:, :m], teachers, **of_step)
            return self

    seconds = []
    for _ in range(repeats):
        if task == "step":
            training = Training(LABELS)
            x, y = torch.rand(BATCH, 3, size, size), (torch.rand(BATCH, LABELS) < 0.2).float()
            for i in range(12):
                if i == 2:
                    start = time.perf_counter()
                training.step(x, y)
        else:
            start = time.perf_counter()
            if task == "input":
                for _ in loader():
                    pass
            elif task == "epoch":
                Training(LABELS).epochs(1, LABELS)
            elif task == "sweep":
                # Ten students of the same ten teachers, which every student runs on every batch.
                teachers = [Training(4).epochs(4, 4) for _ in range(10)]
                for weight in (0.25, 0.5, 1.0, 2.0, 4.0):
                    for distance in ("mse", "kl"):
                        Training(LABELS).epochs(4, LABELS, teachers, weight=weight, distance=distance)
            else:
                # The authors' way: every student runs its teachers on every batch. Baseline, SD, CGPD, DGPD, CPSD; the
                # baseline is SD's teacher, and the 2k teachers are trained once.
                one = [Training(LABELS).epochs(4, LABELS)]
                co = [Training(7).epochs(4, 7) for _ in range(3)]
                dis = [Training(7).epochs(4, 7) for _ in range(3)]
                for teachers in (one, co, dis, co + dis):
                    Training(LABELS).epochs(4, LABELS, teachers)
        seconds.append(time.perf_counter() - start)
    said(seconds)


def said(seconds):
    with open("/proc/self/status") as status:
        memory = next(int(line.split()[1]) / 1e3 for line in status if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "memory": memory}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tasks", default="input,step,epoch,ablation,sweep")
    parser.add_argument("--frozen", default="frozen_features")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", nargs=4)
    arguments = parser.parse_args()
    if arguments.peer:
        task, net, size, repeats = arguments.peer
        if task == "frozen":
            return said([frozen(net.split("/")[1], int(size), BATCHES)])
        return peer(task, net, int(size), arguments.folder, int(repeats))
    tasks = [t for t in TASKS if t[0] in arguments.tasks.split(",")]
    pictures = any(task in ("input", "epoch", "ablation", "sweep") for task, *_ in tasks)
    if pictures and not os.path.exists(f"{arguments.folder}/{arguments.images - 1:05}.jpg"):
        subprocess.run([arguments.binary, "prepare", arguments.folder, str(arguments.images)], check=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "RAYON_NUM_THREADS": "2"}
    # The program gives itself this; a bench's program does not.
    sleepy = {"GOMP_SPINCOUNT": "10000", **environment}
    show = page.shown(arguments.json)
    for task, net, size, goal in tasks:
        show(measure(arguments, (sleepy, environment), task, net, size, goal))


def measure(arguments, environments, task, net, size, goal):
    """A row of the page. `environments`: of cpsd and of the peer."""
    repeats = 1 if task in ("ablation", "sweep") else arguments.repeats
    what, peer_name = f"{task}, {net}, {size} pixels".replace(" -,", ""), "PyTorch"
    ours = [arguments.binary, task, net, str(size), arguments.folder, "1"]
    if task == "frozen":
        way, other = net.split("/")
        what, peer_name = f"a picture, {way}", f"PyTorch, {other}"
        ours = [arguments.frozen, "picture", way, str(size)] + [str(batch) for batch in BATCHES]
    theirs = [sys.executable, __file__, arguments.binary, arguments.folder, "--peer", task, net, str(size), "1"]
    about = {"id": f"{task}/{net}/{size}", "what": what, "goal": {"ratio": goal} if goal else None, "peer": peer_name}
    sides, missing = ([], []), None
    # One after the other, repeat by repeat, so that a slow minute hits both.
    for _ in range(repeats):
        for command, environment, into in zip((ours, theirs), environments, sides):
            if missing and into is sides[1]:
                continue
            try:
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
            except OSError as error:
                return about | {"not_run": str(error)}
            if done.returncode:
                reason = next((l for l in reversed(done.stderr.splitlines()) if l.strip()), f"it ended with {done.returncode}")
                if into is sides[0]:
                    return about | {"not_run": reason}
                missing = reason
            else:
                into.append(json.loads(done.stdout.strip().splitlines()[-1]))
    seconds = [[x["seconds"][0] for x in side] for side in sides]
    memory = [max(x["memory"] for x in side) for side in sides if side]
    if missing:
        seconds[1], memory = [], memory[:1]
    row = page.row(**about, ours=seconds[0], theirs=seconds[1], memory=memory)
    return row | ({"peer_not_run": missing} if missing else {})


main()
