"""Writes adapters.json: two blocks of timm's DINOv2 ViT-S/14 with prompts before each block, a mask of the attention, and low-rank
updates, under weights of tests/training/formula.rs.

Run in an environment with torch and timm: OMP_NUM_THREADS=1 python tests/goldens/models/adapters.py
"""
import json
import math
import zlib
from pathlib import Path

import timm
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
LABELS, PROMPTS, RANK, ALPHA = 3, 5, 4, 8.0


def scattered(name, shape, scale=1.0):
    x = torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 12.9898 + zlib.crc32(name.encode()) % 1000) * 43758.5453
    return (((x - torch.floor(x)) * 2 - 1) * scale).float().reshape(shape)


def drawn(name, shape):
    if len(shape) == 1 and name.endswith("weight"):
        return scattered(name, shape, 0.2) + 1.0
    if len(shape) == 1:
        return scattered(name, shape, 0.1)
    return scattered(name, shape, (3.0 / math.prod(shape[1:])) ** 0.5)


def model():
    vit = timm.create_model("vit_small_patch14_dinov2", img_size=28, num_classes=0, depth=2, init_values=1e-5).eval()
    vit.load_state_dict({name: drawn(name, tuple(tensor.shape)) for name, tensor in vit.state_dict().items()})
    return vit


def leaf(name, shape):
    return drawn(name, shape).requires_grad_(True)


def measured(gradient, name):
    g = gradient.double()
    return {"norm": g.norm().item(), "dot": (g * scattered("probe " + name, tuple(g.shape)).double()).sum().item()}


def answer(tokens, leaves):
    """Logits of the class token plus the mean of the prompts, and gradients of their weighted sum."""
    head = {"head.fc.weight": leaf("head.fc.weight", (LABELS, 384)), "head.fc.bias": leaf("head.fc.bias", (LABELS,))}
    read = tokens[:, 0] + tokens[:, 1:-4].mean(1) if tokens.shape[1] > 5 else tokens[:, 0]
    logits = F.linear(read, head["head.fc.weight"], head["head.fc.bias"])
    (logits * scattered("probe", tuple(logits.shape))).sum().backward()
    return {
        "logits": logits.detach().flatten().tolist(),
        "gradients": {name: measured(tensor.grad, name) for name, tensor in {**leaves, **head}.items()},
    }


def embedded(vit, x):
    return vit.norm_pre(vit._pos_embed(vit.patch_embed(x)))


def prompted(x, masked, deep=True):
    """VPT: prompts between the class token and the patches, other ones before each block if deep."""
    vit = model()
    leaves = {f"adapter.prompt{i}": leaf(f"adapter.prompt{i}", (PROMPTS, 384)) for i in range(2 if deep else 1)}
    tokens = embedded(vit, x)
    t = tokens.shape[1] + PROMPTS
    mask = torch.ones(t, t, dtype=torch.bool)
    if masked:
        mask[1 : PROMPTS + 1, 1 : PROMPTS + 1] = torch.eye(PROMPTS, dtype=torch.bool)
    for i, block in enumerate(vit.blocks):
        if deep or i == 0:
            prompts = leaves[f"adapter.prompt{i}"].expand(x.shape[0], -1, -1)
            tokens = torch.cat([tokens[:, :1], prompts, tokens[:, -4:]], 1)
        tokens = block(tokens, attn_mask=mask) if masked else block(tokens)
    return answer(tokens, leaves)


def low_rank(x):
    """LoRA on the four linear layers of each block."""
    vit = model()
    leaves = {}
    for i, block in enumerate(vit.blocks):
        for name, layer in {"qkv": block.attn.qkv, "proj": block.attn.proj, "fc1": block.mlp.fc1, "fc2": block.mlp.fc2}.items():
            a = leaves[f"lora.{i}.{name}.A"] = leaf(f"lora.{i}.{name}.A", (RANK, layer.in_features))
            b = leaves[f"lora.{i}.{name}.B"] = leaf(f"lora.{i}.{name}.B", (layer.out_features, RANK))
            layer.register_forward_hook(lambda _, x, y, a=a, b=b: y + (x[0] @ a.T @ b.T) * (ALPHA / RANK))
    tokens = embedded(vit, x)
    for block in vit.blocks:
        tokens = block(tokens)
    return answer(tokens, leaves)


x = scattered("input", (2, 3, 28, 28))
out = {
    "torch": torch.__version__, "timm": timm.__version__, "labels": LABELS, "prompts": PROMPTS, "rank": RANK, "alpha": ALPHA,
    "shallow": prompted(x, False, deep=False), "deep": prompted(x, False), "masked": prompted(x, True), "lora": low_rank(x),
}
path = Path(__file__).parent / "adapters.json"
path.write_text(json.dumps(out, separators=(",", ":")).replace('"shallow"', '\n"shallow"').replace('"deep"', '\n"deep"').replace('"masked"', '\n"masked"').replace('"lora":', '\n"lora":') + "\n")
