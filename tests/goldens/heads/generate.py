"""Writes heads.json: logits and gradients of heads built from torch.nn, under weights that a formula gives.

The modules follow the papers' published definitions; parameter names are those of src/models/heads. Run with torch:

    python tests/goldens/heads/generate.py
"""

import json
import math
import zlib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
C, H, W, M, N = 24, 3, 4, 5, 2


def formula(name, shape, scale):
    n = math.prod(shape)
    phase = zlib.crc32(name.encode()) % 1000
    return (torch.sin(torch.arange(n, dtype=torch.float64) * 0.37 + phase) * scale).float().reshape(shape)


def fill(module):
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            if name.endswith("running_mean"):
                value = formula(name, tensor.shape, 0.1)
            elif name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
                value = formula(name, tensor.shape, 0.2) + 1.0
            elif tensor.dim() == 1:
                value = formula(name, tensor.shape, 0.1)
            else:
                value = formula(name, tensor.shape, (2.0 / tensor[0].numel()) ** 0.5)
            tensor.copy_(value)


class Csra(nn.Module):
    """Zhu and Wu 2021, as published: unit-length classifiers, heads of several temperatures."""

    def __init__(self, temperatures, lam):
        super().__init__()
        self.fc = nn.Conv2d(C, M, 1, bias=False)
        self.temperatures, self.lam = temperatures, lam

    def forward(self, x):
        score = self.fc(x) / torch.norm(self.fc.weight, dim=1, keepdim=True).transpose(0, 1)
        score = score.flatten(2)
        logits = 0
        for t in self.temperatures:
            base = score.mean(2)
            if t == 99:
                att = score.max(2)[0]
            else:
                att = (score * F.softmax(score * t, dim=2)).sum(2)
            logits = logits + base + self.lam * att
        return logits


class DecoderLayer(nn.TransformerDecoderLayer):
    """nn.TransformerDecoderLayer without self-attention."""

    def __init__(self, d, heads, hidden):
        super().__init__(d, heads, hidden, dropout=0.0, batch_first=True)
        del self.self_attn
        if not getattr(self, "keep_norm1", False):
            del self.norm1

    def attend(self, x, query, key, value):
        x = self.norm2(x + self.multihead_attn(query, key, value)[0])
        return self.norm3(x + self.linear2(F.relu(self.linear1(x))))


class MlDecoder(nn.Module):
    """Ridnik et al. 2021."""

    def __init__(self, d, groups, heads, hidden):
        super().__init__()
        each = math.ceil(M / groups)
        self.head = nn.Module()
        self.head.embed_standart = nn.Linear(C, d)
        self.head.query_embed = nn.Embedding(groups, d)
        layer = DecoderLayer(d, heads, hidden)
        layer.norm1 = nn.LayerNorm(d)
        self.head.decoder = nn.Module()
        self.head.decoder.layers = nn.ModuleList([layer])
        self.head.duplicate_pooling = nn.Parameter(torch.empty(groups, d, each))
        self.head.duplicate_pooling_bias = nn.Parameter(torch.empty(M))

    def forward(self, x):
        h = self.head
        memory = F.relu(h.embed_standart(x.flatten(2).transpose(1, 2)))
        layer = h.decoder.layers[0]
        q = h.query_embed.weight.detach().unsqueeze(0).expand(len(x), -1, -1)
        q = layer.norm1(q + q)
        out = layer.attend(q, q, memory, memory)
        logits = torch.einsum("ngd,gde->nge", out, h.duplicate_pooling).flatten(1)[:, :M]
        return logits + h.duplicate_pooling_bias


class Q2l(nn.Module):
    """Liu et al. 2021: DETR's sine positions, one encoder layer, decoder layers without self-attention, a last norm."""

    def __init__(self, d, before, after, heads, hidden):
        super().__init__()
        self.head = nn.Module()
        self.head.input_proj = nn.Conv2d(C, d, 1)
        self.head.query_embed = nn.Embedding(M, d)
        t = self.head.transformer = nn.Module()
        t.encoder = nn.Module()
        t.encoder.layers = nn.ModuleList(
            [nn.TransformerEncoderLayer(d, heads, hidden, dropout=0.0, batch_first=True) for _ in range(before)]
        )
        t.decoder = nn.Module()
        t.decoder.layers = nn.ModuleList([DecoderLayer(d, heads, hidden) for _ in range(after)])
        t.decoder.norm = nn.LayerNorm(d)
        self.fc = nn.Module()
        self.fc.weight = nn.Parameter(torch.empty(1, M, d))
        self.fc.bias = nn.Parameter(torch.empty(1, M))
        self.d = d

    def positions(self, h, w):
        half = self.d // 2
        y = (torch.arange(1, h + 1).float() / (h + 1e-6) * 2 * math.pi)[:, None].expand(h, w)
        x = (torch.arange(1, w + 1).float() / (w + 1e-6) * 2 * math.pi)[None, :].expand(h, w)
        dim = torch.arange(half).float()
        dim = 10000 ** (2 * torch.div(dim, 2, rounding_mode="floor") / half)
        px, py = x[..., None] / dim, y[..., None] / dim
        px = torch.stack((px[..., 0::2].sin(), px[..., 1::2].cos()), -1).flatten(2)
        py = torch.stack((py[..., 0::2].sin(), py[..., 1::2].cos()), -1).flatten(2)
        return torch.cat((py, px), -1).reshape(1, h * w, self.d)

    def forward(self, x):
        maps = self.head.input_proj(x)
        pos = self.positions(*maps.shape[2:])
        memory = maps.flatten(2).transpose(1, 2)
        for layer in self.head.transformer.encoder.layers:
            q = memory + pos
            memory = layer.norm1(memory + layer.self_attn(q, q, memory)[0])
            memory = layer.norm2(memory + layer.linear2(F.relu(layer.linear1(memory))))
        q = self.head.query_embed.weight.unsqueeze(0).expand(len(x), -1, -1)
        for layer in self.head.transformer.decoder.layers:
            q = layer.attend(q, q, memory + pos, memory)
        q = self.head.transformer.decoder.norm(q)
        return (self.fc.weight * q).sum(-1) + self.fc.bias


class Tf(nn.Module):
    """The paper's transformer: pre-norm, attention without bias, GELU, no last norm; learned words."""

    def __init__(self, d, layers, heads, hidden):
        super().__init__()
        self.head = nn.Module()
        self.head.words = nn.Parameter(torch.empty(M, 300))
        self.head.patches = nn.Linear(C, d)
        self.head.labels = nn.Linear(300, d)
        self.head.layers = nn.ModuleList()
        for _ in range(layers):
            layer = nn.Module()
            layer.norm1, layer.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
            layer.qkv = nn.Linear(d, 3 * d, bias=False)
            layer.out = nn.Linear(d, d)
            layer.up, layer.down = nn.Linear(d, hidden), nn.Linear(hidden, d)
            self.head.layers.append(layer)
        self.fc = nn.Linear(d, 1)
        self.heads = heads

    def forward(self, x):
        h = self.head
        patches = h.patches(x.flatten(2).transpose(1, 2))
        labels = F.relu(h.labels(h.words)).unsqueeze(0).expand(len(x), -1, -1)
        t = torch.cat([patches, labels], 1)
        for layer in h.layers:
            q, k, v = (
                part.reshape(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in layer.qkv(layer.norm1(t)).chunk(3, -1)
            )
            out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            t = t + layer.out(out)
            t = t + layer.down(F.gelu(layer.up(layer.norm2(t))))
        return self.fc(t[:, patches.shape[1] :]).squeeze(-1)


def case(head, options, module, gradients):
    fill(module)
    module.eval()
    x = formula("features", (N, C, H, W), 1.0)
    logits = module(x)
    logits.square().sum().backward()
    parameters = dict(module.named_parameters())
    return {
        "head": head,
        "options": options,
        "logits": logits.flatten().tolist(),
        "gradients": {
            name: {"norm": parameters[name].grad.double().norm().item(), "sum": parameters[name].grad.double().sum().item()}
            for name in gradients
        },
    }


cases = [
    case("csra", {"heads": 1, "lambda": 0.3}, Csra([1], 0.3), ["fc.weight"]),
    case("csra", {"heads": 4, "lambda": 0.2}, Csra([1, 2, 4, 99], 0.2), ["fc.weight"]),
    case(
        "ml_decoder",
        {"width": 16, "groups": 3, "heads": 4, "feed_forward": 20},
        MlDecoder(16, 3, 4, 20),
        ["head.embed_standart.weight", "head.decoder.layers.0.multihead_attn.in_proj_weight", "head.duplicate_pooling"],
    ),
    case(
        "q2l",
        {"width": 16, "encoder_layers": 1, "decoder_layers": 2, "heads": 4, "feed_forward": 20},
        Q2l(16, 1, 2, 4, 20),
        ["head.input_proj.weight", "head.transformer.encoder.layers.0.linear1.weight", "head.query_embed.weight", "fc.weight"],
    ),
    case(
        "tf",
        {"width": 16, "layers": 2, "heads": 4, "feed_forward": 20},
        Tf(16, 2, 4, 20),
        ["head.patches.weight", "head.layers.0.qkv.weight", "head.words", "fc.weight"],
    ),
]
sizes = {"channels": C, "height": H, "width": W, "labels": M, "images": N}
Path(__file__).with_name("heads.json").write_text(json.dumps({"torch": torch.__version__, **sizes, "cases": cases}, indent=1) + "\n")
