"""Triton for a block on a CUDA device: a program takes some windows of one channel's pooling through all steps.

    moments         mean of each tile of a channel's step, and the sum of squared distances to it
    coefficients    from these or from the running statistics: scale, shift, mean and 1 / std of each step
    forward, backward    batch norm's affine part, the neurons and the pooling
    shares          from the sums of `backward`: what the statistics take from the gradient of x; those of the norm
    correct         takes it

The arguments are those of `arguments`, then the compile-time `SWITCHES`. The normalised input is x * scale + shift in
float32, rounded to the storage type as a layer's output would be. A program's neurons are [P, K]: P windows, those that
reach beyond the edge of the plane, too, of at most K neurons; without pooling a window is one neuron. The backward pass
runs forward again from checkpoints, into a room that belongs to the program and so stays in the cache: few programs,
each taking every so many pieces. Sums are over the neurons of a piece first, then in float64 over the pieces.
"""

from __future__ import annotations

from ..cuda_arguments import numbered
from ..graph import FUNCTIONS
from ..program import Program
from ..triton import _HEAD, _carry, _indent, _statements

LANES = 256  # neurons of a piece
TILE = 1024  # numbers of a tile
ROWS = 128  # partial sums that are read at once
MOST = 1024  # neurons in a window

SWITCHES = {
    "moments": ("A", "B"),
    "coefficients": ("TRAINED", "TILE_A", "TILE_B", "ROWS"),
    "forward": ("KIND", "CARRIED", "KEEP", "P", "K", "STAGES"),
    "backward": ("KIND", "CARRIED", "KEPT", "HAS_GY", "HAS_GS", "WANTS_GS", "WANTS_GX", "ONCE", "P", "K", "STAGES"),
    "shares": ("ROWS",),
    "correct": ("ONCE", "A", "B"),
}

_STORED = ("x", "y", "gx", "gy", "weight", "bias", "running_mean", "running_var", "g_weight", "g_bias")
_NUMBERS = ("eps", "momentum")
_INTS = ("T", "every", "N", "C", "H", "L", "kh", "kw", "plane", "rows", "steps", "chunks", "trained")
_FIXED = {
    "moments": ["x", "means", "squares", "N", "C", "plane", "rows", "x_row"],
    "coefficients": [
        "means", "squares", "weight", "bias", "running_mean", "running_var", "of_step", "eps", "momentum", "T", "steps",
        "rows", "N", "plane",
    ],
    "shares": ["totals", "products", "of_step", "of", "g_weight", "g_bias", "T", "steps", "chunks", "N", "plane"],
    "correct": ["x", "gx", "of_step", "of", "N", "C", "plane", "T", "rows", "x_row"],
}  # fmt: skip


def arguments(program: Program, way: str) -> list[str]:
    """Names of the arguments of a function: arrays, numbers, sizes.

    `x`, `y`, `gx`, `gy` are [T, N, C, H, L] (`y` and `gy` pooled, `gx` [N, C, H, L] if ONCE); `of_step` [C, T, 4];
    `s<i>`, `gs<i>` states and their gradients before and after the sequence, `w<i>` the states that are kept; `sum<k>`
    [C, chunks]; `totals` and `products` [C, T, chunks] of the gradient of the normalised input; `of` [C, T + 1, 2] what
    the statistics of each step take, and of all; `k<i>` rooms; `p<k>` values of parameters, of which a channel has its
    own if p<k>_each is 1.
    """
    if way in _FIXED:
        return _FIXED[way]
    states = range(len(program.next_states))
    parameters = numbered("p", len(program.prologue_is_scalar))
    ends = "in", *(("out",) if way == "forward" else ())
    names = ["x", "y"] if way == "forward" else ["x", "gy", "gx"]
    names += ["of_step", *(f"s{i}_{end}" for i in states for end in ends), *numbered("w", len(states))]
    if way == "backward":
        names += [f"gs{i}_{end}" for i in states for end in ("in", "out")]
        names += [*numbered("sum", len(program.sums)), "totals", "products", *numbered("k", len(kept(program)))]
    names += [*parameters, *numbered("c", program.constants), *numbered("rest", len(states))]
    names += ["T", "every", "N", "C", "H", "L", "kh", "kw", "x_row"]
    return [*names, *(["trained"] if way == "backward" else []), *(f"{name}_each" for name in parameters)]


def kind(name: str) -> str:
    """ "stored", "computed" or "double" (arrays), "number", "int" or "long" (scalars) of an argument."""
    if name in _STORED:
        return "stored"
    if name in _INTS or name.endswith("_each"):
        return "int"
    if name == "x_row":
        return "long"
    if name in _NUMBERS or name.startswith("rest") or (name[0] == "c" and name[1:].isdigit()):
        return "number"
    return "double" if name.startswith("sum") else "computed"


def kept(program: Program) -> tuple[int, ...]:
    """What the second forward pass keeps of a step; pooling asks for the spikes."""
    return tuple(dict.fromkeys([*program.saved, program.spikes]))


def source(program: Program, normalised: bool) -> str:
    """The module of the block of `program`, whose input is `normalised` or taken as it is.

    Raises KeyError with the name of an operation that Triton's kernels do not know.
    """
    used = {node.op for node in program.graph.nodes}
    head = [*_HEAD, *(f"f_{name} = libdevice.{name}" for name in FUNCTIONS if name in used), "", ""]
    functions = [*(_STATISTICS if normalised else []), _forward(program, normalised), _backward(program, normalised)]
    return "\n".join([*head, "\n\n".join(functions)])


def _forward(program: Program, normalised: bool) -> str:
    states = range(len(program.next_states))
    nodes = program.graph.ancestors([program.spikes, *program.next_states])
    lines = [*_WINDOWS, "c = tl.program_id(0) // chunks", "chunk = tl.program_id(0) % chunks", *_PLACE]
    lines += [*_setup(program), *_start(program)]
    body = []
    if states:
        mask = "m & (t % every == 0) & (t > 0)"
        body += ["if KEEP:", *(f"    tl.store(w{i} + (t // every - 1) * step + at, s{i}, mask={mask})" for i in states)]
    body += [
        *_input(normalised),
        *_statements(program.graph, nodes, _own(program)),
        f"v = n{program.spikes}.to(x.dtype.element_ty).to(tl.float32)",
        *_POOL,
        *(_carried(program, f"s{i}", node) for i, node in enumerate(program.next_states)),
    ]
    lines += ["for t in tl.range(0, T, num_stages=STAGES):", *_indent(body)]
    lines += [f"tl.store(s{i}_out + at, s{i}, mask=m)" for i in states]
    return _function("forward", arguments(program, "forward"), lines)


def _backward(program: Program, normalised: bool) -> str:
    states, keeps = range(len(program.next_states)), kept(program)
    graph, sums = program.graph, range(len(program.sums))
    room = "at_room = ((program * every + t - begin) * P + tl.arange(0, P))[:, None] * K + inside[None, :]"
    again = [*_input(normalised), *_statements(graph, graph.ancestors([*program.next_states, *keeps]), _own(program))]
    again += [room, *(f"tl.store(k{k} + at_room, n{node})" for k, node in enumerate(keeps))]
    again += [_carried(program, f"s{i}", node) for i, node in enumerate(program.next_states)]
    loads = _own(program) | {node: f"tl.load(k{k} + at_room)" for k, node in enumerate(keeps)}
    wanted = [g for g in (program.grad_x, *program.grad_states, *program.sums) if g is not None]
    body = ["t = begin + stop - 1 - back", room, *_input(normalised)]
    body += [line.replace("SPIKES", f"k{keeps.index(program.spikes)}") for line in _SPREAD]
    body += _statements(graph, graph.ancestors(wanted, stop=keeps), loads)
    body.append(f"g = {_ZEROS if program.grad_x is None else f'tl.where(m, n{program.grad_x}, 0.0)'}")
    body += [f"a{k} += n{node}" for k, node in enumerate(program.sums)]
    body += [_carried(program, f"gs{i}", node) for i, node in enumerate(program.grad_states)]
    body += [*(_DOTS if normalised else []), "if WANTS_GX:", "    if ONCE:", "        total += g", "    else:"]
    body.append(f"        tl.store(gx + t * step + at, g{' * factor' if normalised else ''}, mask=m)")
    piece = [*_PLACE, *_setup(program), *(f"a{k} = {_ZEROS}" for k in sums), f"total = {_ZEROS}"]
    if normalised:  # statistics of the input take their share of the gradient first
        piece.append("factor = tl.where(trained != 0, 1.0, tl.load(of_step + c * T * 4))")
    for i in states:
        piece += ["if HAS_GS:", f"    gs{i} = tl.load(gs{i}_in + at, mask=m, other=0.0)"]
        piece += ["else:", f"    gs{i} = {_ZEROS}"]
    segment = ["begin = (tl.cdiv(T, every) - 1 - segment) * every", "stop = tl.minimum(begin + every, T)"]
    segment += [*_start(program), *(["if KEPT:"] if states else [])]
    for i in states:
        later = f"tl.load(w{i} + (begin // every - 1) * step + at, mask=m & (begin > 0), other=0.0)"
        segment.append(f"    s{i} = tl.where(begin > 0, {later}, s{i})")
    segment += ["tl.debug_barrier()", "for t in tl.range(begin, stop, num_stages=STAGES):", *_indent(again)]
    segment += ["tl.debug_barrier()", "for back in tl.range(begin, stop, num_stages=STAGES):", *_indent(body)]
    piece += ["for segment in range(0, tl.cdiv(T, every)):", *_indent(segment)]
    for i in states:
        piece += ["if WANTS_GS:", f"    tl.store(gs{i}_out + at, gs{i}, mask=m)"]
    piece += [
        "if WANTS_GX:",
        "    if ONCE:",
        f"        tl.store(gx + at, total{' * factor' if normalised else ''}, mask=m)",
    ]
    for k in sums:
        piece.append(f"added = tl.sum(tl.sum(tl.where(m, a{k}, 0.0).to(tl.float64), 1), 0)")
        piece.append(f"tl.store(sum{k} + c.to(tl.int64) * chunks + chunk, added)")
    lines = [
        *_WINDOWS,
        "share = tl.num_programs(0) // C",
        "program = tl.program_id(0).to(tl.int64)",
        "c = tl.program_id(0) // share",
        "for chunk in range(tl.program_id(0) % share, chunks, share):",
        *_indent(piece),
    ]
    return _function("backward", arguments(program, "backward"), lines)


_ZEROS = "tl.zeros([P, K], tl.float32)"

_WINDOWS = [
    "high, wide = tl.cdiv(H, kh), tl.cdiv(L, kw)",
    "chunks = tl.cdiv(N * high * wide, P)",
]

_PLACE = [
    "window = chunk * P + tl.arange(0, P)",
    "inside = tl.arange(0, K)",
    "across, down, image = window % wide, window // wide % high, window // wide // high",
    "row = (down * kh)[:, None] + (inside // kw)[None, :]",
    "column = (across * kw)[:, None] + (inside % kw)[None, :]",
    "m = (image < N)[:, None] & (inside < kh * kw)[None, :] & (row < H) & (column < L)",
    "channel = image.to(tl.int64) * C + c",
    "at = (channel[:, None] * H + row) * L + column",
    "step = N.to(tl.int64) * C * H * L",
    "whole = (image < N) & (down < H // kh) & (across < L // kw)",
    "out = (channel * (H // kh) + down) * (L // kw) + across",
    "pooled = N.to(tl.int64) * C * (H // kh) * (L // kw)",
    "size = (kh * kw).to(tl.float32)",
]

# In a window with values that are no numbers the last of them is the largest, as in PyTorch.
_POOL = [
    "if KIND == 0:",
    "    tl.store(y + t * pooled + out[:, None], v, mask=m)",
    "if KIND == 1:",
    '    largest = tl.max(tl.where(m, v, float("-inf")), 1)',
    "    none = tl.max(tl.where(m & (v != v), 1, 0), 1) > 0",
    '    tl.store(y + t * pooled + out, tl.where(none, float("nan"), largest), mask=whole)',
    "if KIND == 2:",
    "    tl.store(y + t * pooled + out, tl.math.div_rn(tl.sum(tl.where(m, v, 0.0), 1), size), mask=whole)",
]

# The gradient of the largest goes to the first of them, row by row, as in PyTorch.
_SPREAD = [
    "if HAS_GY:",
    "    gy_w = tl.load(gy + t * pooled + out, mask=whole, other=0.0).to(tl.float32)",
    "    if KIND == 0:",
    "        gy_t = tl.where(m, gy_w[:, None], 0.0)",
    "    if KIND == 1:",
    "        v = tl.load(SPIKES + at_room).to(x.dtype.element_ty).to(tl.float32)",
    '        largest = tl.max(tl.where(m, v, float("-inf")), 1)[:, None]',
    "        place = tl.where(v != v, K + inside[None, :], tl.where(v == largest, K - 1 - inside[None, :], -1))",
    "        place = tl.where(m, place, -2)",
    "        gy_t = tl.where(place == tl.max(place, 1)[:, None], gy_w[:, None], 0.0)",
    "    if KIND == 2:",
    "        gy_t = tl.where(m, tl.math.div_rn(gy_w, size)[:, None], 0.0)",
    "else:",
    f"    gy_t = {_ZEROS}",
]

_DOTS = [
    "at_dot = (c.to(tl.int64) * T + t) * chunks + chunk",
    "away = x_t - tl.load(of_step + (c * T + t) * 4 + 2)",
    "tl.store(totals + at_dot, tl.sum(tl.sum(g, 1), 0))",
    "tl.store(products + at_dot, tl.sum(tl.sum(tl.where(m, g * away, 0.0), 1), 0))",
]


def _input(normalised: bool) -> list[str]:
    """The input of step t, and what the neurons are given."""
    lines = ["x_t = tl.load(x + t * x_row + at, mask=m, other=0.0).to(tl.float32)"]
    if not normalised:
        return [*lines, "z_t = x_t"]
    return [
        *lines,
        "scale, shift = tl.load(of_step + (c * T + t) * 4), tl.load(of_step + (c * T + t) * 4 + 1)",
        "z_t = (x_t * scale + shift).to(x.dtype.element_ty).to(tl.float32)",
    ]


def _setup(program: Program) -> list[str]:
    lines = [f"v_c{k} = tl.full([P, K], c{k}, tl.float32)" for k in range(program.constants)]
    for k in range(len(program.prologue_is_scalar)):
        lines.append(f"v_p{k} = tl.full([P, K], tl.load(p{k} + c * p{k}_each), tl.float32)")
    return lines


def _start(program: Program) -> list[str]:
    """The states before the first step."""
    lines = []
    for i in range(len(program.next_states)):
        lines += ["if CARRIED:", f"    s{i} = tl.load(s{i}_in + at, mask=m, other=0.0)"]
        lines += ["else:", f"    s{i} = tl.full([P, K], rest{i}, tl.float32)"]
    return lines


def _own(program: Program) -> dict[int, str]:
    """The nodes whose text is not that of a neuron's kernel."""
    found = {}
    for index, node in enumerate(program.graph.nodes):
        if node.op == "literal":
            found[index] = f"tl.full([P, K], {node.value!r}, tl.float32)"
        elif node.op == "input" and node.value == "x":
            found[index] = "z_t"
    return found


def _carried(program: Program, name: str, node: int | None) -> str:
    return f"{name} = {_ZEROS}" if node is None else _carry(program.graph, name, node)


def _function(name: str, args: list[str], lines: list[str]) -> str:
    switches = [f"{switch}: tl.constexpr" for switch in SWITCHES[name]]
    return "\n".join(["@triton.jit", f"def {name}({', '.join([*args, *switches])}):", *_indent(lines)]) + "\n"


# A tile has B numbers of the planes of A samples.
_TILE = [
    "across = tl.cdiv(plane, B)",
    "tiles = tl.cdiv(N, A) * across",
    "tile, t, c = tl.program_id(0) % tiles, tl.program_id(0) // tiles % rows, tl.program_id(0) // tiles // rows",
    "image, place = tile // across * A + tl.arange(0, A), tile % across * B + tl.arange(0, B)",
    "m = (image < N)[:, None] & (place < plane)[None, :]",
    "at = (image.to(tl.int64) * C + c)[:, None] * plane + place[None, :]",
    "x_t = tl.load(x + t * x_row + at, mask=m, other=0.0).to(tl.float32)",
]

_MOMENTS = [
    *_TILE,
    "count = tl.minimum(N - tile // across * A, A) * tl.minimum(plane - tile % across * B, B)",
    "mean = tl.math.div_rn(tl.sum(tl.sum(x_t, 1), 0), count.to(tl.float32))",
    "away = tl.where(m, x_t - mean, 0.0)",
    "tl.store(means + tl.program_id(0), mean)",
    "tl.store(squares + tl.program_id(0), tl.sum(tl.sum(away * away, 1), 0))",
]

# `rows` is T, or 1 where all steps are the same; `steps` have their statistics together.
_COEFFICIENTS = [
    "c = tl.program_id(0)",
    "across = tl.cdiv(plane, TILE_B)",
    "tiles = tl.cdiv(N, TILE_A) * across",
    "seen = tl.minimum(steps, rows)",
    "gain, offset = tl.load(weight + c).to(tl.float32), tl.load(bias + c).to(tl.float32)",
    "old_mean, old_var = tl.load(running_mean + c).to(tl.float32), tl.load(running_var + c).to(tl.float32)",
    "for first in range(0, T, steps):",
    "    mean, var = old_mean.to(tl.float64), old_var.to(tl.float64)",
    "    if TRAINED:",
    "        total, square = tl.zeros([ROWS], tl.float64), tl.zeros([ROWS], tl.float64)",
    "        begin = (c.to(tl.int64) * rows + tl.minimum(first, rows - 1)) * tiles",
    "        for i in range(0, seen * tiles, ROWS):",
    "            j = i + tl.arange(0, ROWS)",
    "            m, tile = j < seen * tiles, j % tiles",
    "            of_images = tl.minimum(N - tile // across * TILE_A, TILE_A)",
    "            count = (of_images * tl.minimum(plane - tile % across * TILE_B, TILE_B)).to(tl.float64)",
    "            near = tl.load(means + begin + j, mask=m, other=0.0).to(tl.float64)",
    "            around = tl.load(squares + begin + j, mask=m, other=0.0).to(tl.float64)",
    "            total += tl.where(m, count * near, 0.0)",
    "            square += tl.where(m, around + count * near * near, 0.0)",
    "        per = N.to(tl.float64) * plane",
    "        mean = tl.sum(total, 0) / (per * seen)",
    "        var = tl.sum(square, 0) / (per * seen) - mean * mean",
    "        var = tl.where(var < 0, 0.0, var)",
    "        unbiased = (var * (per * steps / (per * steps - 1))).to(tl.float32)",
    "        old_mean = momentum * mean.to(tl.float32) + (1 - momentum) * old_mean",
    "        old_var = momentum * unbiased + (1 - momentum) * old_var",
    "        old_mean = old_mean.to(running_mean.dtype.element_ty).to(tl.float32)",
    "        old_var = old_var.to(running_var.dtype.element_ty).to(tl.float32)",
    "    inverse = (1 / tl.sqrt(var + eps)).to(tl.float32)",
    "    scale = inverse * gain",
    "    for t in range(first, first + steps):",
    "        to = of_step + (c * T + t) * 4",
    "        tl.store(to, scale)",
    "        tl.store(to + 1, offset - mean.to(tl.float32) * scale)",
    "        tl.store(to + 2, mean.to(tl.float32))",
    "        tl.store(to + 3, inverse)",
    "if TRAINED:",
    "    tl.store(running_mean + c, old_mean)",
    "    tl.store(running_var + c, old_var)",
]

_SHARES = [
    "c = tl.program_id(0)",
    "of_weight, of_bias = tl.full([], 0.0, tl.float64), tl.full([], 0.0, tl.float64)",
    "all_m, all_k = tl.full([], 0.0, tl.float32), tl.full([], 0.0, tl.float32)",
    "for first in range(0, T, steps):",
    "    total, product = tl.zeros([ROWS], tl.float64), tl.zeros([ROWS], tl.float64)",
    "    begin = (c.to(tl.int64) * T + first) * chunks",
    "    for i in range(0, steps * chunks, ROWS):",
    "        j = i + tl.arange(0, ROWS)",
    "        m = j < steps * chunks",
    "        total += tl.load(totals + begin + j, mask=m, other=0.0).to(tl.float64)",
    "        product += tl.load(products + begin + j, mask=m, other=0.0).to(tl.float64)",
    "    inverse = tl.load(of_step + (c * T + first) * 4 + 3).to(tl.float64)",
    "    count = N.to(tl.float64) * plane * steps",
    "    m_t, k_t = tl.sum(total, 0), tl.sum(product, 0) * inverse",
    "    of_bias += m_t",
    "    of_weight += k_t",
    "    m_t, k_t = (m_t / count).to(tl.float32), (k_t * inverse / count).to(tl.float32)",
    "    for t in range(first, first + steps):",
    "        tl.store(of + (c * (T + 1) + t) * 2, m_t)",
    "        tl.store(of + (c * (T + 1) + t) * 2 + 1, k_t)",
    "        all_m += m_t",
    "        all_k += k_t",
    "tl.store(of + (c * (T + 1) + T) * 2, all_m)",
    "tl.store(of + (c * (T + 1) + T) * 2 + 1, all_k)",
    "tl.store(g_weight + c, of_weight.to(tl.float32))",
    "tl.store(g_bias + c, of_bias.to(tl.float32))",
]

_CORRECT = [
    *_TILE,
    "at_step = t",
    "if ONCE:",
    "    at_step = T",
    "m_t = tl.load(of + (c * (T + 1) + at_step) * 2)",
    "k_t = tl.load(of + (c * (T + 1) + at_step) * 2 + 1)",
    "scale, mean = tl.load(of_step + (c * T + t) * 4), tl.load(of_step + (c * T + t) * 4 + 2)",
    "to = gx + t * (N.to(tl.int64) * C * plane) + at",
    "g = tl.load(to, mask=m, other=0.0).to(tl.float32)",
    "tl.store(to, (g - m_t - (x_t - mean) * k_t) * scale, mask=m)",
]

_STATISTICS = [
    _function(name, _FIXED[name], lines)
    for name, lines in (
        ("moments", _MOMENTS), ("coefficients", _COEFFICIENTS), ("shares", _SHARES), ("correct", _CORRECT),
    )
]  # fmt: skip
