"""Writes torch_calls.json: calls of the language, and the type, shape and numbers that PyTorch has for the same calls.

Each line of CALLS is the call in the language and the one in Python, where that differs. Written with PyTorch 2.13.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

inf, nan = math.inf, math.nan
true, false = True, False
PRELUDE = {
    "x": "tensor([[1.0, -2.5, 3.0], [0.5, 4.0, -1.0]])",
    "y": "tensor([[2.0, 0.25, -3.0], [1.5, -4.0, 2.0]])",
    "v": "tensor([0.5, 2.0, 1.25])",
    "i": "tensor([[3, 1, 2], [9, 7, 8]])",
    "k": "tensor([2, 0])",
    "m": "tensor([[true, false, true], [false, true, false]])",
    "c": "torch.arange(24).reshape([2, 3, 4])",
    "s": "tensor(2.5)",
}
for name, text in PRELUDE.items():
    globals()[name] = eval(text.replace("tensor(", "torch.tensor(") if text.startswith("tensor") else text)

# Of the language alone where Python's is the same text.
CALLS = [
    # creation
    ("zeros([2, 3])", "torch.zeros(2, 3)"), ("ones(2, #{dtype: \"int64\"})", "torch.ones(2, dtype=torch.int64)"),
    ("full([2, 2], 0.5)", "torch.full((2, 2), 0.5)"), ("full(3, 7)", "torch.full((3,), 7)"), ("full(2, true)", "torch.full((2,), True)"),
    ("arange(5)", "torch.arange(5)"), ("arange(1, 2, 0.25)", "torch.arange(1, 2, 0.25)"), ("arange(5, 0, -2)", "torch.arange(5, 0, -2)"),
    ("linspace(-1, 1, 5)", "torch.linspace(-1, 1, 5)"), ("eye(3)", "torch.eye(3)"), ("eye(2, 3)", "torch.eye(2, 3)"),
    ("tensor([true, false])", "torch.tensor([True, False])"), ("tensor([1, 2.5])", "torch.tensor([1, 2.5])"), ("tensor(7)", "torch.tensor(7)"),
    # arithmetic and its types
    ("x + y",), ("x - v",), ("x * 2",), ("2 - x",), ("x / y",), ("x % 2",), ("i % 4",), ("x ** 2",), ("2 ** x",), ("i ** 2",), ("-x",), ("-i",),
    ("i + 1",), ("i + 1.0",), ("i * 0.5",), ("i / 2",), ("m + 1",), ("m * 1.0",), ("i + x",), ("i.to(\"int8\") + i", "i.to(torch.int8) + i"),
    ("i.to(\"uint8\") * 2", "i.to(torch.uint8) * 2"), ("x.to(\"float64\") + x", "x.to(torch.float64) + x"), ("x.to(\"float16\") * 3", "x.to(torch.float16) * 3"),
    ("s + i",), ("x.pow(3)",), ("i.floor_divide(2)",), ("(-i).floor_divide(4)",), ("x.maximum(y)",), ("x.minimum(y)",),
    ("x.maximum(0.0)", "x.maximum(torch.tensor(0.0))"), ("x.clamp(-1, 2)",), ("x.matmul(y.t())",), ("x.matmul(v)",), ("v.dot(v)",), ("v.outer(k * 1.0)",),
    ("i.matmul(i.t())",), ("x.masked_fill(m, 9.0)",),
    # comparisons and masks
    ("x > y",), ("x >= 0",), ("x < v",), ("i <= 2",), ("i == 7",), ("i != 7",), ("0 < x",), ("m & (x > 0)",), ("m | (x > 0)",), ("m ^ (x > 0)",),
    ("!m", "~m"), ("i & 1", None), ("x.isnan()",), ("(x / 0.0).isfinite()",), ("x.logical_not()",),
    # number by number
    *[(f"x.{name}()",) for name in "abs exp expm1 sin cos tan erf sign floor ceil trunc round square reciprocal sigmoid tanh relu".split()],
    *[(f"x.abs().{name}()",) for name in "log log1p log2 log10 sqrt rsqrt".split()],
    ("x.logsigmoid()", "F.logsigmoid(x)"), ("x.gelu()", "F.gelu(x)"), ("x.silu()", "F.silu(x)"), ("x.softplus()", "F.softplus(x)"),
    ("x.leaky_relu(0.1)", "F.leaky_relu(x, 0.1)"), ("relu(x)", "torch.relu(x)"), ("exp(i)", "torch.exp(i)"), ("sqrt(v)", "torch.sqrt(v)"),
    ("i.sigmoid()",), ("(x * 1.2345).round(2)", "(x * 1.2345).round(decimals=2)"), ("x.softmax(1)",), ("x.softmax(-2)",), ("x.log_softmax(1)",),
    ("x.normalize(1)", "F.normalize(x, dim=1)"), ("i.abs()",), ("tensor([0.5, 1.5, -0.5]).round()", "torch.tensor([0.5, 1.5, -0.5]).round()"),
    # reductions
    ("x.sum()",), ("i.sum()",), ("m.sum()",), ("x.sum(1)",), ("c.sum([0, 2])",), ("c.sum(-1, #{keepdim: true})", "c.sum(-1, keepdim=True)"),
    ("x.mean()",), ("x.mean(0)",), ("(c * 1.0).mean([1, 2])",), ("x.std()",), ("x.std(1)",), ("x.std(#{correction: 0})", "x.std(correction=0)"),
    ("x.std([0, 1], #{keepdim: true})", "x.std([0, 1], keepdim=True)"), ("x.var(0)",), ("x.var(1, #{correction: 0})", "x.var(1, correction=0)"),
    ("x.prod()",), ("i.prod(1)",), ("x.max()",), ("i.min()",), ("x.max(1).values",), ("x.max(1).indices",), ("x.min(0, #{keepdim: true}).values", "x.min(0, keepdim=True).values"),
    ("x.amax([0, 1])",), ("c.amin(1)",), ("x.argmax()",), ("x.argmax(1)",), ("x.argmin(0, #{keepdim: true})", "x.argmin(0, keepdim=True)"),
    ("x.median()",), ("x.median(1).values",), ("x.norm()",), ("x.norm(1)",), ("x.norm(2, 1)",), ("x.norm(1, [0, 1])",), ("x.norm(2, 1, #{keepdim: true})", "x.norm(2, 1, keepdim=True)"),
    ("x.logsumexp(1)",), ("(c * 0.1).logsumexp([1, 2])",), ("m.any()",), ("m.all(1)",), ("m.any(0)",), ("(x > 0).count_nonzero()",), ("m.count_nonzero(1)",),
    ("x.cumsum(1)",), ("i.cumsum(0)",), ("x.cumprod(1)",), ("m.cumsum(1)",),
    # order
    ("x.topk(2).values",), ("x.topk(2).indices",), ("x.topk(1, #{dim: 0, largest: false}).values", "x.topk(1, dim=0, largest=False).values"),
    ("x.sort(1).values",), ("x.sort(0, #{descending: true}).indices", "x.sort(0, descending=True).indices"), ("x.argsort(1, true)",),
    ("tensor([3, 1, 3, 2]).unique()", "torch.tensor([3, 1, 3, 2]).unique()"), ("m.nonzero()",), ("k.one_hot(3)", "F.one_hot(k, 3)"),
    # shapes
    ("c.reshape([4, -1])",), ("c.flatten()",), ("c.flatten(1, 2)",), ("c.transpose(0, 2)",), ("x.t()",), ("c.permute([2, 0, 1])",),
    ("x.unsqueeze(1)",), ("x.unsqueeze(-1)",), ("x.unsqueeze(0).squeeze()",), ("x.unsqueeze(0).squeeze(0)",), ("v.expand([2, 3])",), ("v.unsqueeze(1).expand([-1, 2])",),
    ("v.repeat([2, 2])",), ("v.repeat_interleave(2, 0)",), ("x.flip(1)", "x.flip([1])"), ("c.flip([0, 2])",), ("x.roll(1, 1)",), ("x.roll(-5, 0)",),
    ("i.tril()",), ("i.triu()",), ("v.diag()",), ("x.narrow(1, 1, 2)",), ("cat([x, y], 1)", "torch.cat([x, y], 1)"), ("x.cat(y, 0)", "torch.cat([x, y], 0)"),
    ("cat([x, i])", "torch.cat([x, i])"), ("stack([x, y])", "torch.stack([x, y])"), ("stack([v, v], 1)", "torch.stack([v, v], 1)"),
    ("c.split(2, 1)[1]",), ("c.split([1, 2], 1)[1]",), ("c.chunk(2, 1)[1]",), ("c.unbind(1)[2]",),
    ("where(x > 0, x, y)", "torch.where(x > 0, x, y)"), ("where(x > 0, x, 0.0)", "torch.where(x > 0, x, 0.0)"), ("where(m, 1, 0)", "torch.where(m, 1, 0)"),
    ("where(m, i, 0.5)", "torch.where(m, i, 0.5)"), ("where(m, v, x)", "torch.where(m, v, x)"),
    ("einsum(\"ij,kj->ik\", x, y)", "torch.einsum('ij,kj->ik', x, y)"), ("einsum(\"ij->ji\", x)", "torch.einsum('ij->ji', x)"),
    ("einsum(\"ijk,lk->ijl\", [c, c[0]])", "torch.einsum('ijk,lk->ijl', c, c[0])"), ("einsum(\"i,i\", v, v)", "torch.einsum('i,i', v, v)"),
    ("einsum(\"...i->...\", c)", "torch.einsum('...i->...', c)"), ("einsum(\"ij,jk,k->i\", x, x.t(), k * 1.0)", "torch.einsum('ij,jk,k->i', x, x.t(), k * 1.0)"),
    ("x.gather(1, i % 3)",), ("x.index(1, [2, 0])", "x.index_select(1, torch.tensor([2, 0]))"), ("c.slice(2, 0, 4, 2)", "c[:, :, 0:4:2]"),
    # indices
    ("x[0]",), ("x[-1]",), ("x[1][2]",), ("x[1, 2]",), ("x[0..1]", "x[0:1]"), ("x[.., 1]", "x[:, 1]"), ("c[..., 0]",), ("c[0, ..., 1]",), ("c[1..]", "c[1:]"),
    ("c[.., 1..]", "c[:, 1:]"), ("c[.., 1.., 0]", "c[:, 1:, 0]"), ("c[.., ..2]", "c[:, :2]"), ("c[.., -2.., ..-1]", "c[:, -2:, :-1]"), ("c[.., 0..=1]", "c[:, 0:2]"),
    ("c[.., .., -1]", "c[:, :, -1]"), ("c[0..9, 5..2]", "c[0:9, 5:2]"), ("x[m]",), ("c[m]",), ("x[[1, 0, 1]]",), ("x[k % 2]",), ("x[[0, 1], [2, 0]]",),
    ("c[.., [2, 0]]", "c[:, [2, 0]]"), ("c[0, .., [2, 0]]", "c[0, :, [2, 0]]"), ("c[[0, 1], .., [2, 0]]", "c[[0, 1], :, [2, 0]]"), ("c[.., [0, 1], [2, 0]]", "c[:, [0, 1], [2, 0]]"),
    ("x[(), 0]", "x[None, 0]"), ("x[.., ()]", "x[:, None]"), ("x[x > 0]",), ("x[.., v > 1]", "x[:, v > 1]"), ("x[[true, false]]", "x[[True, False]]"), ("x[[-1]]",),
    ("x[i % 2]",), ("c[[[0, 1], [1, 0]], [0, 1]]",), ("x[[]]", "x[torch.tensor([], dtype=torch.int64)]"), ("x[...]",), ("x[..]", "x[:]"),
    ("{ let n = 1; c[.., n + 1.., n] }", "c[:, 2:, 1]"), ("x[0, c[0, 0, 1]..]", None), ("c[f.call(1), .., 2]", "c[1, :, 2]"),
    # conversions
    ("x.to(\"int64\")", "x.to(torch.int64)"), ("i.to(\"float32\")", "i.to(torch.float32)"), ("x.to(\"bool\")", "x.to(torch.bool)"), ("x.to(\"bfloat16\")", "x.to(torch.bfloat16)"),
    ("m.to(\"uint8\")", "m.to(torch.uint8)"),
]

# A variable t = x (or another), and statements that assign to it.
ASSIGNMENTS = [
    ("x", "t[0] = 1.5",), ("x", "t[.., 1] = 0.0", "t[:, 1] = 0.0"), ("x", "t[m] = -1.0",), ("x", "t[0, 2] = 7", ), ("x", "t[1] = v",), ("x", "t[.., 0..2] = y[.., 1..]", "t[:, 0:2] = y[:, 1:]"),
    ("x", "t[t < 0] = 0",), ("x", "t[0] += 1.0",), ("x", "t[.., 0] *= 2", "t[:, 0] *= 2"), ("x", "t[[1, 0], [0, 2]] = tensor([8.0, 9.0])", "t[[1, 0], [0, 2]] = torch.tensor([8.0, 9.0])"),
    ("x", "t[0][1] = 5.0",), ("i", "t[1, ..] = 0", "t[1, :] = 0"), ("i", "t[.., -1] = t[.., 0]", "t[:, -1] = t[:, 0].clone()"), ("c", "t[..., 0] = 100",), ("c", "t[.., [0, 2], 1] = -1", "t[:, [0, 2], 1] = -1"),
    ("c", "t[0, m[0]] = 0",), ("m", "t[0] = false",), ("x", "t[0] = [1, 2, 3]", "t[0] = torch.tensor([1, 2, 3])"), ("x", "t[..] = s", "t[:] = s"),
]

# Functions of t, a matrix, whose sum weighted by y has this gradient at x (or at |x| + 0.5, where "p" says so).
GRADIENTS = [
    ("x", f) for f in ["t * y", "t / (y + 5)", "t ** 2", "t.sigmoid()", "t.tanh()", "t.relu()", "t.gelu()|F.gelu(t)", "t.silu()|F.silu(t)", "t.softplus()|F.softplus(t)",
                       "t.logsigmoid()|F.logsigmoid(t)", "t.softmax(1)", "t.log_softmax(0)", "t.normalize(1)|F.normalize(t, dim=1)", "t.exp()", "t.sin()", "t.erf()", "t.abs()", "t.clamp(-1, 2)",
                       "t.maximum(y)", "t.cumsum(1)", "t.flip(1)|t.flip([1])", "t.roll(1, 0)", "t.t().reshape([2, 3])", "t[[1, 0]]", "t.sort(1).values", "where(t > 0, t, 2 * t)|torch.where(t > 0, t, 2 * t)",
                       "t - t.mean(1, #{keepdim: true})|t - t.mean(1, keepdim=True)", "t / t.std(1, #{keepdim: true})|t / t.std(1, keepdim=True)", "t * t.norm()", "t * t.logsumexp([0, 1])", "t * t.max()",
                       "t * t.var(#{correction: 0})|t * t.var(correction=0)", "einsum(\"ij,ik->jk\", t, y).sum() * t|torch.einsum('ij,ik->jk', t, y).sum() * t", "t * t[0, 1]", "t * t[.., 1..].sum()|t * t[:, 1:].sum()",
                       "t * t[m].sum()", "t * t.topk(1).values", "t.gather(1, i % 3)", "cat([t, t], 1)[.., 1..4]|torch.cat([t, t], 1)[:, 1:4]", "stack([t, y])[0]|torch.stack([t, y])[0]", "t.masked_fill(m, 0.0)",
                       "t.leaky_relu(0.1)|F.leaky_relu(t, 0.1)", "t.prod(1, #{keepdim: true}) * y|t.prod(1, keepdim=True) * y", "t.unsqueeze(0).expand([2, 2, 3]).sum(0)", "t.repeat([2, 1])[0..2]|t.repeat([2, 1])[0:2]"]
] + [("p", f) for f in ["t.log()", "t.sqrt()", "t.rsqrt()", "t.log1p()", "t.log2()", "t.reciprocal()", "t.pow(2.5)"]]

SHOWN = [
    "x", "i", "m", "v", "c", "s", "k[0]", "x * 1000.0", "x / 3", "x * 0.00001", "torch.arange(30)", "torch.arange(30) * 1.0", "torch.arange(2000)", "torch.arange(2000).reshape([50, 40]) / 7",
    "torch.arange(8000).reshape([20, 20, 20])", "x / 0.0", "(x * 0) / 0", "x * 3e9", "torch.zeros([2, 3])", "torch.zeros([0, 3])", "torch.ones([1, 1, 1])", "x.to(\"float16\")", "x.to(\"float64\") / 3", "c > 11",
    "torch.linspace(-1, 1, 25)", "torch.tensor([1.5, 20000.0])", "torch.tensor([1.0, 3000.0])", "torch.arange(16).reshape([2, 2, 2, 2])",
]


def described(t):
    values = t.double().flatten().tolist() if t.dtype.is_floating_point else t.long().flatten().tolist()
    return {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape),
            "values": [repr(v) if isinstance(v, float) and not math.isfinite(v) else v for v in values]}


def both(row):
    return (row[0], row[0]) if len(row) == 1 else row


f = lambda n: n
rows = []
for call in CALLS:
    code, python = both(call)
    if python is not None:
        rows.append({"code": code, **described(torch.as_tensor(eval(python)))})
for start, *statement in ASSIGNMENTS:
    code, python = both(statement)
    t = eval(start).clone()
    exec(python)
    rows.append({"code": f"{{ let t = {start}; {code}; t }}", **described(t)})
for start, text in GRADIENTS:
    code, _, python = text.partition("|")
    value = {"x": "x", "p": "(x.abs() + 0.5)"}[start]
    t = eval(value).clone().requires_grad_(True)
    (eval(python or code) * y).sum().backward()
    rows.append({"code": f"grad(|t| (({code}) * y).sum(), {value})", **described(t.grad)})
shown = []
for text in SHOWN:
    python = text.replace('to("', "to(torch.").replace('")', ")") if "to(" in text else text
    printed = torch._tensor_str._tensor_str(eval(python), 0).replace("True", "true").replace("False", "false")
    # Booleans are padded for their own names.
    shown.append([text.replace("torch.", ""), printed])
prelude = "".join(f"let {name} = {text.replace('torch.', '')};\n" for name, text in PRELUDE.items()) + "let f = |n| n;\n"
golden = {"prelude": prelude, "calls": rows, "shown": shown}
path = pathlib.Path(__file__).with_suffix(".json")
lines = lambda items: ",\n".join(json.dumps(item) for item in items)
path.write_text(f'{{"prelude": {json.dumps(prelude)},\n"calls": [\n{lines(rows)}\n],\n"shown": [\n{lines(shown)}\n]}}\n')
