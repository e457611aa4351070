"""Writes models.json: logits and gradients of torchvision's and timm's models under weights that a formula gives.

Run in an environment with torch, torchvision and timm:
    python tests/goldens/models/generate.py [weights/efficientnet_lite0.pth]
"""
import json
import sys
import zlib
from pathlib import Path

import timm
import torch
import torchvision

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
        if name.endswith("num_batches_tracked"):
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


def case(model, image_size, gradients):
    fill(model)
    x = formula("input", (2, 3, image_size, image_size), 1.0)
    out = {"image_size": image_size, "classes": 10}
    model.eval()
    with torch.no_grad():
        out["logits"] = model(x).flatten().tolist()
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    model.zero_grad()
    model(x).square().sum().backward()
    parameters = dict(model.named_parameters())
    out["gradients"] = {
        name: {"sum": parameters[name].grad.double().sum().item(), "norm": parameters[name].grad.double().norm().item()}
        for name in gradients
    }
    return out


goldens = {
    "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__},
    "resnet18": case(
        torchvision.models.resnet18(num_classes=10), 64,
        ["conv1.weight", "layer1.0.conv1.weight", "layer2.0.conv1.weight", "layer3.1.bn2.weight", "layer4.1.conv2.weight", "fc.weight"],
    ),
    "resnet34": case(torchvision.models.resnet34(num_classes=10), 64, ["conv1.weight", "layer3.5.conv2.weight", "fc.bias"]),
    "efficientnet_lite0": case(
        timm.create_model("tf_efficientnet_lite0", num_classes=10), 64,
        ["conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.2.1.conv_pw.weight", "blocks.4.0.bn2.weight",
         "blocks.6.0.conv_pwl.weight", "conv_head.weight", "classifier.weight"],
    ),
}
if len(sys.argv) > 1:
    model = timm.create_model("tf_efficientnet_lite0")
    published = torch.load(sys.argv[1], weights_only=True)
    own = model.state_dict()
    assert len(published) == len(own)
    model.load_state_dict(dict(zip(own, published.values())))
    model.eval()
    x = formula("input", (1, 3, 128, 128), 1.0)
    with torch.no_grad():
        stages = model.forward_intermediates(x, intermediates_only=True) if hasattr(model, "forward_intermediates") else []
        y = model.bn1(model.conv_stem(x))
        for stage in list(model.blocks)[:5]:
            y = stage(y)
    goldens["efficientnet_lite0_imagenet"] = {"stage5_shape": list(y.shape), "stage5_first": y[0, :8, 3, 4].tolist(), "stage5_sum": y.double().sum().item()}

Path(__file__).with_name("models.json").write_text(json.dumps(goldens, indent=1) + "\n")
