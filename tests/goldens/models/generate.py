"""Writes models.json (logits and gradients of torchvision's and timm's models under weights that a formula gives),
names.json (names and shapes of their tensors), weights.json with the small files that PyTorch writes, and traced modules.

Run in an environment with torch, torchvision, timm and safetensors:
    python tests/goldens/models/generate.py [weights/efficientnet_lite0.pth ...]
"""
import argparse
import io
import json
import sys
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

torch.set_num_threads(1)


def formula(name, shape, scale):
    """A tensor that any language can make again: sin of the index, with a phase that the name gives."""
    n = 1
    for s in shape:
        n *= s
    phase = zlib.crc32(name.encode()) % 1000
    return (torch.sin(torch.arange(n, dtype=torch.float64) * 0.37 + phase) * scale).float().reshape(shape)


def fill(model):
    state = {}
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            state[name] = tensor
        elif name.endswith("running_mean"):
            state[name] = formula(name, tensor.shape, 0.1)
        elif name.endswith("running_var"):
            state[name] = formula(name, tensor.shape, 0.2) + 1.0
        elif tensor.dim() == 1 and name.endswith("weight"):
            state[name] = formula(name, tensor.shape, 0.2) + 1.0
        elif tensor.dim() == 1:
            state[name] = formula(name, tensor.shape, 0.1)
        else:
            fan_in = tensor[0].numel()
            state[name] = formula(name, tensor.shape, (2.0 / fan_in) ** 0.5)
    model.load_state_dict(state)


def eval_but_for_gradients(model):
    """Batch norm, dropout and stochastic depth as in evaluation."""
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def case(model, image_size, gradients):
    fill(model)
    x = formula("input", (2, 3, image_size, image_size), 1.0)
    out = {"image_size": image_size, "classes": 10}
    eval_but_for_gradients(model)
    model.zero_grad()
    logits = model(x)
    out["logits"] = logits.detach().flatten().tolist()
    logits.square().sum().backward()
    parameters = dict(model.named_parameters())
    out["gradients"] = {
        name: {"sum": parameters[name].grad.double().sum().item(), "norm": parameters[name].grad.double().norm().item()}
        for name in gradients
    }
    return out


def features(model, image_size, modules):
    """What the named modules give: their shape, sum and norm. Weights are already filled."""
    kept = {}
    hooks = [model.get_submodule(m).register_forward_hook(lambda _, __, y, m=m: kept.__setitem__(m, y)) for m in modules]
    with torch.no_grad():
        model(formula("input", (2, 3, image_size, image_size), 1.0))
    for hook in hooks:
        hook.remove()
    return [{"shape": list(y.shape), "sum": y.double().sum().item(), "norm": y.double().norm().item()} for y in (kept[m] for m in modules)]


def multiply_adds(model, image_size):
    """Multiply-adds of convolutions and matrix products for one picture, in billions."""
    model.eval()
    # With gradients on and attention spelt out: the counter does not see into its fast paths.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(1, 3, image_size, image_size))
    return counter.get_total_flops() / 2e9


tv = torchvision.models
# Name: the reference model for a number of classes and an image size, the size of the test's pictures, its parameters
# to compare gradients of (one a stage at least), its modules whose outputs are those of our stages, its last layer.
LITE = ["conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.1.0.bn2.bias", "blocks.2.1.conv_pw.weight", "blocks.3.0.conv_dw.weight",
        "blocks.4.0.bn2.weight", "blocks.5.0.conv_pwl.weight", "blocks.6.0.conv_pwl.weight", "conv_head.weight", "classifier.weight"]
LITE_STAGES = [f"blocks.{i}" for i in range(7)] + ["bn2"]
LAYERS = [f"layer{i}" for i in range(1, 5)]
TRESNET = ["body.conv1.conv.weight", "body.layer1.0.conv1.conv.weight", "body.layer2.0.se.fc1.weight", "body.layer3.0.conv2.bn.weight",
           "body.layer3.1.se.fc2.bias", "body.layer4.0.downsample.1.conv.weight", "body.layer4.2.conv3.bn.bias", "head.fc.weight"]
SPECS = {
    "resnet18": (lambda n, s: tv.resnet18(num_classes=n), 224, 64,
                 ["conv1.weight", "layer1.0.conv1.weight", "layer2.0.conv1.weight", "layer3.1.bn2.weight", "layer4.1.conv2.weight", "fc.weight"], LAYERS),
    "resnet34": (lambda n, s: tv.resnet34(num_classes=n), 224, 64,
                 ["conv1.weight", "layer1.2.conv2.weight", "layer2.3.bn1.bias", "layer3.5.conv2.weight", "layer4.0.downsample.0.weight", "fc.bias"], LAYERS),
    "resnet50": (lambda n, s: tv.resnet50(num_classes=n), 224, 64,
                 ["conv1.weight", "layer1.0.conv3.weight", "layer2.0.downsample.0.weight", "layer3.5.conv2.weight", "layer4.2.bn3.weight", "fc.weight"], LAYERS),
    "resnet101": (lambda n, s: tv.resnet101(num_classes=n), 224, 64,
                  ["conv1.weight", "layer1.2.conv1.weight", "layer2.3.bn2.weight", "layer3.22.conv3.weight", "layer4.0.conv2.weight", "fc.bias"], LAYERS),
    "resnext50_32x4d": (lambda n, s: tv.resnext50_32x4d(num_classes=n), 224, 64,
                        ["conv1.weight", "layer1.0.conv2.weight", "layer2.1.conv2.weight", "layer3.0.bn1.bias", "layer4.2.conv2.weight", "fc.weight"], LAYERS),
    "tresnet_m": (lambda n, s: timm.create_model("tresnet_m", num_classes=n), 224, 64, TRESNET, [f"body.layer{i}" for i in range(1, 5)]),
    "tresnet_l": (lambda n, s: timm.create_model("tresnet_l", num_classes=n), 448, 64, TRESNET, [f"body.layer{i}" for i in range(1, 5)]),
    "efficientnet_lite0": (lambda n, s: timm.create_model("tf_efficientnet_lite0", num_classes=n), 224, 64, LITE, LITE_STAGES),
    "efficientnet_lite1": (lambda n, s: timm.create_model("tf_efficientnet_lite1", num_classes=n), 240, 64, LITE, LITE_STAGES),
    # An odd size: "same" padding differs from side to side.
    "efficientnet_lite2": (lambda n, s: timm.create_model("tf_efficientnet_lite2", num_classes=n), 260, 75, LITE, LITE_STAGES),
    "vit_b_16": (lambda n, s: tv.vision_transformer._vision_transformer(16, 12, 12, 768, 3072, None, False, num_classes=n, image_size=s), 224, 64,
                 ["conv_proj.weight", "class_token", "encoder.pos_embedding", "encoder.layers.encoder_layer_0.self_attention.in_proj_bias",
                  "encoder.layers.encoder_layer_4.mlp.0.weight", "encoder.layers.encoder_layer_7.ln_2.weight",
                  "encoder.layers.encoder_layer_11.self_attention.out_proj.weight", "heads.head.weight"],
                 [f"encoder.layers.encoder_layer_{i}" for i in (2, 5, 8)] + ["encoder.ln"]),
    "swin_t": (lambda n, s: tv.swin_t(num_classes=n), 224, 64,
               ["features.0.0.weight", "features.1.1.attn.relative_position_bias_table", "features.2.reduction.weight", "features.3.1.attn.qkv.weight",
                "features.5.5.mlp.3.bias", "features.7.1.norm1.weight", "head.weight"],
               ["features.1", "features.3", "features.5", "norm"]),
}


def tree(state):
    """{"layer1": {"0": {"conv1": {"weight": [64, 64, 3, 3]}}}}: names share their beginnings."""
    root = {}
    for name, tensor in state.items():
        node = root
        *path, leaf = name.split(".")
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = list(tensor.shape)
    return root


def main():
    here = Path(__file__).parent
    goldens = {"versions": {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}}
    names = {}
    for name, (make, default, size, gradients, stages) in SPECS.items():
        print(name, flush=True)
        goldens[name] = case(make(10, size), size, gradients)
        model = make(10, size)
        fill(model)
        model.eval()
        goldens[name]["stages"] = features(model, size, stages)
        with torch.device("meta"):
            whole = make(1000, default)
            small = make(10, default)
        goldens[name]["default_size"] = default
        goldens[name]["parameters_1000"] = sum(p.numel() for p in whole.parameters())
        goldens[name]["parameters_10"] = sum(p.numel() for p in small.parameters())
        goldens[name]["gmacs"] = round(multiply_adds(make(10, default), default), 3)
        names[name] = tree(small.state_dict())
    with torch.device("meta"):
        for ours, theirs in {"vit_b_16": "vit_base_patch16_224", "swin_t": "swin_tiny_patch4_window7_224"}.items():
            names[f"{ours} in timm"] = tree(timm.create_model(theirs, num_classes=10).state_dict())
    model = tv.swin_t(num_classes=10)
    fill(model)
    model.eval()
    with torch.no_grad():
        goldens["swin_t"]["logits_112"] = model(formula("input", (1, 3, 112, 112), 1.0)).flatten().tolist()
    for path in sys.argv[1:]:
        goldens[f"{Path(path).stem}_imagenet"] = imagenet(path)
    goldens["torchscript"] = modules(here)
    (here / "models.json").write_text(json.dumps(goldens, indent=1) + "\n")
    lines = [f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in names.items()]
    (here / "names.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (here / "weights.json").write_text(json.dumps(weights(here), indent=1) + "\n")


def imagenet(path):
    """What the published weights give, which are in timm's order under names of their own."""
    model = timm.create_model("tf_" + Path(path).stem)
    published = torch.load(path, weights_only=True)
    own = model.state_dict()
    assert len(published) == len(own)
    model.load_state_dict(dict(zip(own, published.values())))
    model.eval()
    x = formula("input", (1, 3, 128, 128), 1.0)
    with torch.no_grad():
        y = model.bn1(model.conv_stem(x))
        for stage in list(model.blocks)[:5]:
            y = stage(y)
        logits = model(x)[0]
    return {"stage5_shape": list(y.shape), "stage5_first": y[0, :8, 3, 4].tolist(), "stage5_sum": y.double().sum().item(),
            "logits": logits[:20].tolist(), "top": logits.topk(5).indices.tolist()}


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(8)
        self.deep = torch.nn.Conv2d(8, 12, 3, stride=2, padding=1)

    def forward(self, x):
        return torch.relu(self.deep(torch.relu(self.norm(self.stem(x)))))


class Pooled(Tiny):
    def forward(self, x):
        return torch.relu(self.deep(torch.relu(self.norm(self.stem(x))))).mean((2, 3))


class Pair(Tiny):
    def forward(self, x):
        return self.stem(x), x


def save_module(module, path):
    """Without the debug records, which hold paths of the machine that wrote them."""
    written = io.BytesIO()
    torch.jit.save(module, written)
    with zipfile.ZipFile(written) as whole, zipfile.ZipFile(path, "w") as kept:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                name = path.stem + entry.filename[entry.filename.index("/"):]
                kept.writestr(zipfile.ZipInfo(name), whole.read(entry))


def modules(here):
    """Traced and scripted modules, and what one gives with a linear layer that the formula fills."""
    model = Tiny()
    fill(model)
    model.eval()
    x = formula("input", (2, 3, 32, 32), 1.0)
    save_module(torch.jit.trace(model, x), here / "traced.pt")
    pooled = Pooled()
    fill(pooled)
    save_module(torch.jit.script(pooled.eval()), here / "scripted.pt")
    save_module(torch.jit.script(Pair().eval()), here / "pair.pt")
    weight, bias = formula("head.classifier.weight", (10, 12), (2 / 12) ** 0.5), formula("head.classifier.bias", (10,), 0.1)
    y = model(x)
    logits = y.mean((2, 3)) @ weight.T + bias
    logits.square().sum().backward()
    gradient = model.stem.weight.grad.double()
    return {"shape": list(y.shape), "logits": logits.detach().flatten().tolist(),
            "gradient": {"norm": gradient.norm().item(), "sum": gradient.sum().item()}}


class Evil:
    """Unpickling it would make a file."""

    def __reduce__(self):
        import os
        return os.system, ("touch code-of-a-pickle-was-run",)


def weights(here):
    """Files that PyTorch writes: the stem and first stage of EfficientNet-Lite0 in every form, and forms of tensors."""
    model = timm.create_model("tf_efficientnet_lite0", num_classes=10)
    fill(model)
    model.eval()
    state = {n: t for n, t in model.state_dict().items() if n.split(".")[0] in ("conv_stem", "bn1") or n.startswith("blocks.0.")}
    x = formula("input", (2, 3, 64, 64), 1.0)
    with torch.no_grad():
        y = model.blocks[0](model.bn1(model.conv_stem(x)))
    golden = {"stage1": {"norm": y.double().norm().item(), "sum": y.double().sum().item(), "elements": y.numel()}}
    save_file(state, here / "stage1.safetensors")
    torch.save(state, here / "stage1.pth")
    torch.save(state, here / "stage1_legacy.pth", _use_new_zipfile_serialization=False)
    wrapped = {"module." + n: torch.nn.Parameter(t) if t.is_floating_point() else t for n, t in state.items()}
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    optimiser.param_groups[0]["params"][0].sum().backward()
    optimiser.step()
    checkpoint = {"epoch": 3, "arch": "lite", "args": argparse.Namespace(lr=0.1, sizes=[1, 2]), "best": np.float64(0.5), "best_map": torch.tensor(0.5),
                  "optimizer": optimiser.state_dict(), "model": {}, "device": torch.device("cpu"), "state_dict": wrapped}
    torch.save(checkpoint, here / "stage1.ckpt")
    torch.save(checkpoint, here / "stage1_legacy.ckpt", _use_new_zipfile_serialization=False)
    base = torch.arange(24, dtype=torch.float32)
    forms = OrderedDict(
        transposed=base.view(4, 6).t(), part=base[5:9], strided=base[1::5], half=torch.tensor([0.5, -2.0], dtype=torch.half),
        brain=torch.tensor([1.5, 3.0], dtype=torch.bfloat16), double=torch.tensor([1e-3], dtype=torch.double), long=torch.tensor([[-7]]),
        boolean=torch.tensor([True, False]), scalar=torch.tensor(4.0), nothing=torch.zeros(0, 3),
    )
    torch.save(forms, here / "forms.pth")
    torch.save(forms, here / "forms_legacy.pth", _use_new_zipfile_serialization=False)
    golden["forms"] = {n: {"shape": list(t.shape), "values": t.double().flatten().tolist()} for n, t in forms.items()}
    torch.save({"fc.weight": torch.ones(2), "x": Evil()}, here / "evil.pth")
    torch.save({"fc.weight": torch.ones(2), "x": Evil()}, here / "evil_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), here / "whole_model.pth")
    torch.save({"a.weight": torch.ones(2), "b.weight": torch.tensor([1.0, float("nan")])}, here / "nan.pth")
    return golden


if __name__ == "__main__":
    main()
