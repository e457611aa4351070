"""Writes models.json (logits and gradients of torchvision's and timm's models under weights that a formula gives),
names.json (names and shapes of their tensors), weights.json with the small files that PyTorch writes, and traced modules.

Run in an environment with torch, torchvision, timm and safetensors:
    python tests/goldens/models/generate.py [--only convnext_tiny,files,...] [weights/efficientnet_lite0.pth ...]
Entries that are not named after --only, and those of published weights that are not given, stay as they are.
"""
import argparse
import io
import json
import math
import re
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import save_file
from timm.layers import ClassifierHead, resample_abs_pos_embed
from timm.models import ConvNeXt, VisionTransformer, convnext, get_pretrained_cfg, tresnet, vision_transformer
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


def value(name, shape, formula):
    if name.endswith("running_mean"):
        return formula(name, shape, 0.1)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        return formula(name, shape, 0.2) + 1.0
    if len(shape) == 1:
        return formula(name, shape, 0.1)
    return formula(name, shape, (2.0 / math.prod(shape[1:])) ** 0.5)


def chirp(name, shape, scale):
    """As formula, with a frequency that rises: its matrices have full rank, and attention is not all to one token."""
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    phase = zlib.crc32(name.encode()) % 1000
    return (torch.sin(index * 0.37 + index * index * 1e-4 + phase) * scale).float().reshape(shape)


def fill(model, formula=formula):
    model.load_state_dict({name: value(name, tensor.shape, formula) if tensor.is_floating_point() else tensor for name, tensor in model.state_dict().items()})


def picture(n, size):
    return formula("input", (n, 3, size, size), 1.0)


def eval_but_for_gradients(model):
    """Batch norm, dropout and stochastic depth as in evaluation."""
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def case(model, image_size, gradients, formula=formula):
    fill(model, formula)
    x = picture(2, image_size)
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


def measured(y):
    return {"shape": list(y.shape), "sum": y.double().sum().item(), "norm": y.double().norm().item()}


def features(model, image_size, modules, measured=measured):
    """What the named modules give: their shape, sum and norm. Weights are already filled."""
    kept = {}
    hooks = [model.get_submodule(m).register_forward_hook(lambda _, __, y, m=m: kept.__setitem__(m, y)) for m in modules]
    with torch.no_grad():
        model(picture(2, image_size))
    for hook in hooks:
        hook.remove()
    return [measured(kept[m]) for m in modules]


def sample(y):
    """Shape, sum and norm, and 16 of the elements at equal distances."""
    flat = y.detach().reshape(-1)
    n = flat.numel()
    return {"shape": list(y.shape), "sum": flat.double().sum().item(), "norm": flat.double().norm().item(),
            "sample": [flat[i * n // 16].item() for i in range(16)]}


def multiply_adds(model, image_size):
    """Multiply-adds of convolutions and matrix products for one picture, in billions."""
    model.eval()
    # With gradients on and attention spelt out: the counter does not see into its fast paths.
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(1, 3, image_size, image_size, device=device))
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


def cut(make, stages):
    """The first stages of a timm model with the average over positions, or for a ViT the first token, and a last layer."""
    def made(n, s):
        model = make(n, s)
        if isinstance(model, VisionTransformer):
            model.blocks, model.norm = model.blocks[:stages], torch.nn.Identity()
        elif isinstance(model, ConvNeXt):
            model.stages = model.stages[:stages]
            model.head = ClassifierHead(model.feature_info[stages - 1]["num_chs"], n, "avg")
        else:
            # After space-to-depth and the stem.
            model.body = model.body[:2 + stages]
            model.head = ClassifierHead(model.feature_info[stages]["num_chs"], n, "avg")
        return model
    return made


def timms(name, default, size, gradients, stages, tag, used=None):
    """A model of timm as in SPECS, the tag of its weights whose configuration holds, and how many stages are compared if not all."""
    def make(n, s):
        return timm.create_model(name, num_classes=n, **({"img_size": s} if name.startswith("vit_") else {}))
    return (make, default, size, gradients, stages, tag, used)


VIT = ["pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.bias", "blocks.0.norm2.weight", "blocks.0.mlp.fc1.weight", "head.weight"]
SCALED = ["blocks.0.ls1.gamma", "blocks.0.ls2.gamma"]
TIMM = {
    "tresnet_xl": timms("tresnet_xl", 448, 64, [n for n in TRESNET if "layer3" not in n and "layer4" not in n], ["body.layer1", "body.layer2"], "miil_in1k_448", 2),
    "convnext_tiny": timms("convnext_tiny", 224, 64, ["stem.0.weight", "stem.1.bias", "stages.0.blocks.0.conv_dw.weight", "stages.1.downsample.0.weight",
                           "stages.1.downsample.1.weight", "stages.2.blocks.8.gamma", "stages.3.blocks.2.mlp.fc2.weight", "head.norm.weight", "head.fc.weight"],
                           [f"stages.{i}" for i in range(4)], "fb_in1k"),
    "convnext_base": timms("convnext_base", 224, 64, ["stem.0.weight", "stages.0.blocks.0.norm.weight", "stages.1.blocks.2.mlp.fc1.bias", "head.fc.weight"],
                           ["stages.0", "stages.1"], "fb_in1k", 2),
    "vit_small_patch14_reg4_dinov2": timms("vit_small_patch14_reg4_dinov2", 518, 56, VIT + SCALED + ["cls_token", "reg_token", "blocks.11.ls2.gamma", "norm.weight"],
                                           [f"blocks.{i}" for i in range(11)] + ["norm"], "lvd142m"),
    "vit_base_patch14_reg4_dinov2": timms("vit_base_patch14_reg4_dinov2", 518, 56, VIT + SCALED, ["blocks.0", "blocks.1"], "lvd142m", 2),
    "vit_large_patch14_reg4_dinov2": timms("vit_large_patch14_reg4_dinov2", 518, 42, VIT + SCALED, ["blocks.0"], "lvd142m", 1),
    "vit_small_patch14_dinov2": timms("vit_small_patch14_dinov2", 518, 56, VIT + SCALED + ["cls_token"], ["blocks.0", "blocks.1"], "lvd142m", 2),
    "vit_base_patch14_dinov2": timms("vit_base_patch14_dinov2", 518, 56, VIT + SCALED, ["blocks.0"], "lvd142m", 1),
    "vit_large_patch14_dinov2": timms("vit_large_patch14_dinov2", 518, 42, VIT + SCALED, ["blocks.0"], "lvd142m", 1),
    "vit_base_patch16_clip_224": timms("vit_base_patch16_clip_224", 224, 64, VIT + ["cls_token", "norm_pre.weight"], ["blocks.0", "blocks.1"], "laion2b", 2),
    "vit_base_patch16_clip_quickgelu_224": timms("vit_base_patch16_clip_quickgelu_224", 224, 64, VIT + ["norm_pre.bias"], ["blocks.0", "blocks.1"], "openai", 2),
    "vit_base_patch16_siglip_224": timms("vit_base_patch16_siglip_224", 224, 48, VIT + ["blocks.11.mlp.fc2.bias", "norm.weight", "attn_pool.latent", "attn_pool.q.bias",
                                         "attn_pool.kv.weight", "attn_pool.proj.weight", "attn_pool.norm.weight", "attn_pool.mlp.fc2.weight"],
                                         [f"blocks.{i}" for i in range(11)] + ["norm"], "webli"),
}
# Built in whole by its own test alone: the others stay quick.
LARGE = ["vit_base_patch16_siglip_224"]


def of_timm(name, goldens, names):
    make, default, size, gradients, stages, tag, used = TIMM[name]
    compared = cut(make, used) if used else make
    golden = case(compared(10, size), size, gradients, chirp)
    model = compared(10, size)
    fill(model, chirp)
    model.eval()
    golden["stages"] = features(model, size, stages, lambda y: sample(y.transpose(1, 2) if y.dim() == 3 else y))
    if used:
        golden["stages_used"] = used
    golden["weights"] = "chirp"
    golden["large"] = name in LARGE
    golden["tolerance"] = 1e-5
    golden["default_size"] = default
    with torch.device("meta"):
        golden["parameters_1000"] = sum(p.numel() for p in make(1000, default).parameters())
        golden["parameters_10"] = sum(p.numel() for p in make(10, default).parameters())
        golden["gmacs"] = round(multiply_adds(make(10, default), default), 3)
        if name not in LARGE:
            names[name] = tree(compared(10, default).state_dict())
    config = get_pretrained_cfg(f"{name}.{tag}")
    golden["config"] = {key: getattr(config, key) for key in ["mean", "std", "interpolation", "crop_pct", "classifier", "first_conv", "hf_hub_id"]}
    golden["repositories"] = [get_pretrained_cfg(full).hf_hub_id for full in timm.list_pretrained(f"{name}.*")]
    goldens[name] = golden


def positions():
    """timm's interpolation of positions, of weights for 518 pixels at 448 and of weights for 224 at 320 with a class token."""
    out = []
    for prefix, old, new in [(0, 37, 32), (1, 14, 20)]:
        given = formula("pos_embed", (1, old * old + prefix, 8), 1.0)
        came = resample_abs_pos_embed(given, new_size=[new, new], num_prefix_tokens=prefix)
        out.append({"prefix": prefix, "given": list(given.shape), **sample(came)})
    return out


def files(names):
    """Files of others, read by timm's own filters: what the first stages give of the test's picture."""
    out = []

    def file(what, backbone, given, model, read, stages, size, run=None):
        state = {name: value(name, shape, chirp) for name, shape in given.items()}
        names[f"file: {what}"] = tree(state)
        if read:
            left_out = model.load_state_dict(read(state, model), strict=False)
            assert all(n.startswith(("head.", "norm.")) for n in left_out.missing_keys), left_out.missing_keys
            assert set(left_out.unexpected_keys) <= {"mask_token", "norm.weight", "norm.bias"}, left_out.unexpected_keys
        else:
            model.load_state_dict(state)
        model.eval()
        with torch.no_grad():
            x = picture(1, size)
            y = run(x) if run else model.forward_intermediates(x, indices=stages, intermediates_only=True)[-1]
        out.append({"what": what, "backbone": backbone, "stages": stages, "image_size": size, **sample(y)})

    def vit(name, size, depth, **more):
        model = timm.create_model(name, img_size=size, depth=depth, num_classes=10, **more)
        model.norm = torch.nn.Identity()
        return model

    def shapes(model):
        return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}

    vit_filter = vision_transformer.checkpoint_filter_fn
    for name, depth, old, new in [("vit_small_patch14_reg4_dinov2", 2, 98, 56), ("vit_small_patch14_reg4_dinov2", 1, 98, 140),
                                  ("vit_small_patch14_dinov2", 2, 98, 140), ("vit_base_patch16_siglip_224", 1, 64, 96)]:
        file(f"timm's {name} for {old} pixels at {new}", name, shapes(vit(name, old, depth)), vit(name, new, depth), vit_filter, depth, new)

    # DINOv2's own files have a position of the class token, and another name for the registers.
    name = "vit_small_patch14_reg4_dinov2"
    given = {("register_tokens" if n == "reg_token" else n): s for n, s in shapes(vit(name, 98, 2)).items() if not n.startswith("head.")}
    given["pos_embed"], given["mask_token"] = [1, 50, 384], [1, 384]
    file("DINOv2's authors' ViT-S/14 with registers for 98 pixels at 112", name, given, vit(name, 112, 2), vit_filter, 2, 112)

    # OpenAI's: the image tower beside the text tower.
    name = "vit_base_patch16_clip_quickgelu_224"
    model = vit(name, 64, 2)
    model.head = torch.nn.Linear(768, 512)
    given = {}
    for n, shape in shapes(model).items():
        for theirs, ours in [("conv1", "patch_embed.proj"), ("class_embedding", "cls_token"), ("positional_embedding", "pos_embed"), ("ln_pre", "norm_pre"),
                             ("attn.out_proj", "attn.proj"), ("attn.in_proj_", "attn.qkv."), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
                             ("ln_1", "norm1"), ("ln_2", "norm2"), ("transformer.resblocks.", "blocks.")]:
            n = n.replace(ours, theirs)
        if not n.startswith("head."):
            given[f"visual.{n}"] = shape[2:] if n == "class_embedding" else shape[1:] if n == "positional_embedding" else shape
    given.update({"visual.ln_post.weight": [768], "visual.ln_post.bias": [768], "visual.proj": [768, 512], "logit_scale": [1], "text_projection": [512, 512],
                  "positional_embedding": [77, 512], "token_embedding.weight": [64, 512], "ln_final.weight": [512], "ln_final.bias": [512]})
    for block in range(2):
        for n, shape in {"ln_1.weight": [512], "ln_1.bias": [512], "ln_2.weight": [512], "ln_2.bias": [512], "attn.in_proj_weight": [1536, 512],
                         "attn.in_proj_bias": [1536], "attn.out_proj.weight": [512, 512], "attn.out_proj.bias": [512], "mlp.c_fc.weight": [2048, 512],
                         "mlp.c_fc.bias": [2048], "mlp.c_proj.weight": [512, 2048], "mlp.c_proj.bias": [512]}.items():
            given[f"transformer.resblocks.{block}.{n}"] = shape
    file("OpenAI's CLIP, image and text tower", name, given, model, vit_filter, 2, 64)

    # ConvNeXt's authors'.
    model = timm.create_model("convnext_tiny", num_classes=10)
    model.stages = model.stages[:2]
    given = {}
    for n, shape in shapes(model).items():
        n = re.sub(r"stages\.(\d)\.blocks\.", r"stages.\1.", re.sub(r"stages\.(\d)\.downsample", r"downsample_layers.\1", n))
        for theirs, ours in [("downsample_layers.0", "stem"), ("dwconv", "conv_dw"), ("pwconv", "mlp.fc"), ("norm", "head.norm"), ("head", "head.fc")]:
            n = n.replace(ours, theirs)
        given[n] = shape
    file("ConvNeXt's authors'", "convnext_tiny", given, model, convnext.checkpoint_filter_fn, 2, 64, run=lambda x, m=model: m.stages(m.stem(x)))
    model = tv.convnext_tiny(num_classes=10)
    file("torchvision's convnext_tiny", "convnext_tiny", shapes(model), model, None, 4, 64, run=model.features)

    # TResNet's authors': the filter that blurs wraps the convolution before it.
    model = timm.create_model("tresnet_xl", num_classes=10)
    model.body = model.body[:4]
    given = {}
    for n, shape in shapes(model).items():
        n = re.sub(r"\.conv(\d)\.", r".conv\1.0." if n.startswith("body.layer2.0.conv1.") else r".conv\1.", n)
        given[re.sub(r"\.bn\.", ".1.", re.sub(r"\.conv\.", ".0.", n))] = shape
    file("TResNet's authors' XL", "tresnet_xl", given, model, tresnet.checkpoint_filter_fn, 2, 64, run=lambda x, m=model: m.body(x))
    return out


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
    options = argparse.ArgumentParser()
    options.add_argument("--only", type=lambda text: text.split(","))
    options.add_argument("weights", nargs="*")
    options = options.parse_args()
    wanted = lambda name: options.only is None or name in options.only
    goldens, names = (json.loads((here / file).read_text()) for file in ("models.json", "names.json"))
    if options.only is None:
        goldens["versions"] = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    for name in filter(wanted, TIMM):
        print(name, flush=True)
        of_timm(name, goldens, names)
    if wanted("files"):
        goldens["files"], goldens["positions"] = files(names), positions()
    for name, (make, default, size, gradients, stages) in SPECS.items():
        if not wanted(name):
            continue
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
    if wanted("swin_t"):
        model = tv.swin_t(num_classes=10)
        fill(model)
        model.eval()
        with torch.no_grad():
            goldens["swin_t"]["logits_112"] = model(formula("input", (1, 3, 112, 112), 1.0)).flatten().tolist()
    for path in options.weights:
        goldens[f"{Path(path).stem}_imagenet"] = imagenet(path)
    if wanted("torchscript"):
        goldens["torchscript"] = modules(here)
    (here / "models.json").write_text(json.dumps(goldens, indent=1) + "\n")
    lines = [f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in names.items()]
    (here / "names.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    if wanted("weights"):
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


class Endless(torch.nn.Module):
    """Never gives anything: what a second signal must end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = 0
        while n >= 0:
            n = (n + 1) % 1000
        return x


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
    save_module(torch.jit.script(Endless().eval()), here / "endless.pt")
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
