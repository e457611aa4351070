"""Models of runs as torch modules: timm's backbones with cpsd's heads, under the names of the run's file."""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from ._store import find

# Backbones of which a run may use the first stages only, by the beginning of timm's names.
_RESNETS = ("resnet", "resnext")
_LITES = ("tf_efficientnet_lite",)
_HEADS = ("gap", "conv", "csra")


class _ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


class _Stage(nn.Module):
    """A stage of small_cnn: a strided convolution, then a residual pair."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.down = _ConvNorm(inputs, outputs, 3, 2)
        self.first = _ConvNorm(outputs, outputs, 3)
        self.second = _ConvNorm(outputs, outputs, 3)

    def forward(self, x):
        x = self.down(x).relu()
        return (x + self.second(self.first(x).relu())).relu()


class _SmallCnn(nn.Module):
    """cpsd's own small network."""

    def __init__(self, stages):
        super().__init__()
        widths = [3, 32, 64, 128, 192]
        self.count = stages
        for i in range(stages):
            self.add_module(f"stage{i + 1}", _Stage(widths[i], widths[i + 1]))

    def maps(self, x):
        for i in range(self.count):
            x = getattr(self, f"stage{i + 1}")(x)
        return x

    def pooled(self, x):
        return self.maps(x).mean((2, 3))


class _Timm(nn.Module):
    """The first stages of one of timm's models; `pools` says whether the head reads pooled features."""

    def __init__(self, architecture, stages, image_size, global_pool, pools):
        super().__init__()
        import timm

        options = {"img_size": image_size} if architecture.startswith("vit") else {}
        if global_pool != "avg":
            options["global_pool"] = global_pool
        net = timm.create_model(architecture, pretrained=False, num_classes=0, **options)
        self.vit, self.stages = architecture.startswith("vit"), None
        count = len(net.blocks) if self.vit else 8 if architecture.startswith(_LITES) else 4
        if stages is not None and stages < count:
            self.stages = stages
            if not (self.vit or architecture.startswith(_RESNETS + _LITES)):
                raise NotImplementedError(f"the first {stages} stages of {architecture}: only whole models of this kind can be loaded")
            if self.vit:
                net.blocks, net.norm = net.blocks[:stages], nn.Identity()
            elif architecture.startswith(_RESNETS):
                for i in range(stages, 4):
                    setattr(net, f"layer{i + 1}", nn.Identity())
            else:
                net.blocks = net.blocks[:stages]
                net.conv_head, net.bn2 = nn.Identity(), nn.Identity()
        if not pools:
            # Weights that only its own pooling has.
            if self.vit:
                net.attn_pool = None
            elif architecture.startswith("convnext"):
                net.head.norm = nn.Identity()
        self.net = net

    def maps(self, x):
        x = self.net.forward_features(x)
        if not self.vit:
            return x
        x = x[:, self.net.num_prefix_tokens :]
        side = round(x.shape[1] ** 0.5)
        return x.transpose(1, 2).reshape(x.shape[0], -1, side, side)

    def pooled(self, x):
        # Whole models have their own way: a class token, or a norm behind the average.
        if self.vit or self.stages is None:
            return self.net.forward_head(self.net.forward_features(x), pre_logits=True)
        return self.maps(x).mean((2, 3))


class _Gap(nn.Module):
    """One linear layer on the pooled features."""

    def __init__(self, name, inputs, labels, spec):
        super().__init__()
        self.name, self.layer = name, nn.Linear(inputs, labels)

    def forward(self, backbone, x):
        return self.layer(backbone.pooled(x))

    def names(self):
        return {"layer.weight": f"{self.name}.weight", "layer.bias": f"{self.name}.bias"}


class _Conv(nn.Module):
    """1×1, depthwise 3×3 and 1×1 convolutions, then class maps whose averages are the logits."""

    def __init__(self, name, inputs, labels, spec):
        super().__init__()
        width = spec.get("head_width") or 192
        self.name = name
        self.reduce, self.spread, self.mix = _ConvNorm(inputs, width), _ConvNorm(width, width, 3, groups=width), _ConvNorm(width, width)
        self.classes = nn.Conv2d(width, labels, 1)

    def forward(self, backbone, x):
        x = backbone.maps(x)
        for layer in (self.reduce, self.spread, self.mix):
            x = layer(x).relu()
        return self.classes(x).mean((2, 3))

    def names(self):
        own = {key: f"head.{key}" for key in self.state_dict() if not key.startswith("classes.")}
        return own | {f"classes.{leaf}": f"{self.name}.{leaf}" for leaf in ("weight", "bias")}


class _Csra(nn.Module):
    """Class-specific residual attention (Zhu and Wu, ICCV 2021)."""

    _TEMPERATURES = {1: [1], 2: [1, 99], 4: [1, 2, 4, 99], 6: [1, 2, 3, 4, 5, 99], 8: [1, 2, 3, 4, 5, 6, 7, 99]}

    def __init__(self, name, inputs, labels, spec):
        super().__init__()
        options = spec.get("head_options") or {}
        self.name, self.factor = name, options.get("lambda", 0.1)
        self.temperatures = self._TEMPERATURES[int(options.get("heads", 1))]
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(labels, inputs, 1, 1)) for _ in self.temperatures)

    def forward(self, backbone, x):
        x, sum_ = backbone.maps(x), 0
        for weight, temperature in zip(self.weights, self.temperatures):
            length = weight.flatten(1).norm(dim=1)[None, :, None]
            scores = F.conv2d(x, weight).flatten(2) / length
            if temperature == 99:
                attended = scores.amax(2)
            else:
                attended = (scores * (scores * temperature).softmax(2)).sum(2)
            sum_ = sum_ + scores.mean(2) + self.factor * attended
        return sum_

    def names(self):
        return {f"weights.{i}": f"{self.name}.{i}.weight" for i in range(len(self.temperatures))}


class Classifier(nn.Module):
    """A run's model: normalised pictures [N, 3, side, side] to logits [N, m].

    labels: one name per logit. image_size, mean, std: those of the run's specification, which `normalise` and `preprocess` use.
    spec: the specification of the model. config: the run's model.json, in timm's form. backbone, head: its parts; backbone.net is timm's
    model, except of small_cnn.
    """

    def __init__(self, backbone, head, config):
        super().__init__()
        self.backbone, self.head, self.config = backbone, head, config
        self.labels, self.spec = config["label_names"], config["cpsd"]["spec"]
        pretrained = config["pretrained_cfg"]
        self.image_size = pretrained["input_size"][1]
        self.mean, self.std = pretrained["mean"], pretrained["std"]

    def forward(self, images):
        return self.head(self.backbone, images)

    def normalise(self, pixels):
        """Pixels of 0 to 255, uint8 [N, 3, side, side] or one [3, side, side], as `forward` takes them."""
        pixels = torch.as_tensor(pixels)
        pixels = pixels[None] if pixels.dim() == 3 else pixels
        device = next(self.parameters()).device
        like = {"dtype": torch.float32, "device": device}
        mean, std = (torch.tensor(values, **like).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels.to(**like) / 255 - mean) / std

    def preprocess(self, picture):
        """A PIL picture, resized as a whole to the model's square, normalised: [1, 3, side, side]."""
        import numpy
        from PIL import Image

        picture = picture.convert("RGB").resize((self.image_size, self.image_size), Image.Resampling.BILINEAR)
        return self.normalise(torch.from_numpy(numpy.array(picture)).permute(2, 0, 1))

    @torch.no_grad()
    def predict(self, pixels):
        """The probability of every label [N, m] for pixels as `normalise` takes them."""
        return self(self.normalise(pixels)).sigmoid()


def load(run, store=None, device="cpu"):
    """The model of a run as a torch module in evaluation mode.

    run: an id, the beginning of one, a name, the run's folder, or a file that `model.save(path)` wrote. store: the folder of the run store.
    Errors: NotImplementedError for a backbone, head or adapter that has no form here; `cpsd.predictions` and `cpsd.features` work for all.
    """
    from safetensors.torch import load_file

    file = Path(str(run))
    if file.suffix != ".safetensors":
        found = find(run, store)
        file = found.path / "model.safetensors"
        if not file.exists():
            raise ValueError(f"run {found.id} is no training: it has no model.safetensors")
    description = file.with_suffix(".json")
    for path in (file, description):
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: a model is a .safetensors file with a .json of the same name beside it")
    config = json.loads(description.read_text(encoding="utf-8"))
    spec, architecture = config["cpsd"]["spec"], config["architecture"]

    def none(what):
        return NotImplementedError(f"{file}: {what}; cpsd.predictions and cpsd.features work for every run")

    for part in ("adapter", "lora"):
        if spec.get(part):
            raise none(f"option {part} has no form in Python")
    if spec["head"] not in _HEADS:
        raise none(f'head "{spec["head"]}" has no form in Python; {", ".join(_HEADS)} have one')
    names, side = config["cpsd"]["names"], config["pretrained_cfg"]["input_size"][1]
    if spec["backbone"] == "small_cnn":
        backbone = net = _SmallCnn(spec.get("stages") or 4)
    elif names == "timm":
        backbone = _Timm(architecture, spec.get("stages"), side, config.get("global_pool") or "avg", spec["head"] == "gap")
        net = backbone.net
    else:
        name = spec["backbone"]
        raise none(f'backbone "{name}" is none of those of timm')
    head = {"gap": _Gap, "conv": _Conv, "csra": _Csra}[spec["head"]](
        config["pretrained_cfg"]["classifier"], config["num_features"], len(config["label_names"]), spec
    )
    state = load_file(file)
    own = {theirs: ours for ours, theirs in head.names().items()}
    _fill(head, {own[name]: tensor for name, tensor in state.items() if name in own}, file)
    _fill(net, {name: tensor for name, tensor in state.items() if name not in own}, file)
    return Classifier(backbone, head, config).to(device).eval()


def _fill(module, state, file):
    """Loads all tensors. Errors: one that is missing, or without a place."""
    missing, unexpected = module.load_state_dict(state, strict=False)
    # PyTorch counts batches; cpsd does not.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        listed = ", ".join((missing + unexpected)[:4])
        raise NotImplementedError(
            f"{file}: the tensors are not those of this timm ({len(missing)} missing, {len(unexpected)} without a place: {listed})"
        )
