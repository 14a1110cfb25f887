"""C++ for a block on the CPU: one channel at a time, so that what is read twice of it lies in the caches of a core.

    forward, backward(void** arrays, const double* scalars, const long* sizes)

`arrays` and `scalars` come in the order in which the functions below read them, `sizes` as in SIZES. A channel's
neurons are taken in pieces: some whole planes of consecutive samples, or some rows of one plane, gathered into one run
if they are not. The normalised input is x * scale + shift, rounded after each operation, with scale = weight / std and
shift = bias - mean * scale, which is how PyTorch normalises; sums over neurons are in float64, but for the 16 numbers
that a lane adds up at a time.
"""

from __future__ import annotations

from .. import cpp, cpp_preamble
from ..program import Program

MOST = 1024  # neurons of a piece; twice its rows of all steps between checkpoints stay in the second-level cache

SIZES = (
    "T", "channels", "one", "threads", "unused", "N", "H", "L", "images", "rows", "kind", "kh", "kw", "x_row", "gx_row",
    "K", "together", "trained",
)  # fmt: skip
"""`H` rows of `L` neurons in a plane; a piece has `rows` rows of `images` samples; `kind` of pooling (0 none, 1 the
largest, 2 the mean) over `kh` x `kw`; `x_row`, `gx_row` numbers from step to step (0: the input is the same at each
step, and its gradient the sum over them); `K` steps between checkpoints; `together`: statistics over all steps, not of
each; `trained`: they are those of the input, not the running ones."""


def source(program: Program, storage: str, normalised: bool) -> str:
    """The translation unit of the block of `program`, whose input is `normalised` or taken as it is."""
    fields = ", ".join(SIZES)
    return "\n".join(
        [
            *cpp_preamble.preamble(program.graph, storage),
            f"enum {{ MOST = {MOST}, ROOM = MOST + 12 * W }};",
            f"struct Sizes {{ long {fields}; }};",
            PIECES,
            POOLING,
            STATISTICS if normalised else "",
            _forward(program, normalised),
            _backward(program, normalised),
            _ENTRIES,
        ]
    )


def _loaded(program: Program, **own: str) -> dict[int, str]:
    """Where the inputs of a step are found."""
    found = {}
    for index, node in enumerate(program.graph.nodes):
        if node.op == "input":
            name = str(node.value)
            found[index] = own.get(name) or (name if name.startswith("p") else f"load({name} + i)")
    return found


def _input(normalised: bool) -> str:
    return "(load(x_ + i) * scale + shift)" if normalised else "load(x_ + i)"


def _setup(program: Program, first_parameter: int) -> list[str]:
    lines = [f"const V c{k} = splat(C(scalars[2 + {k}]));" for k in range(program.constants)]
    for k in range(len(program.prologue_is_scalar)):
        at = first_parameter + 2 * k
        lines.append(f"const V p{k} = splat(((const C*)arrays[{at}])[arrays[{at} + 1] ? c : 0]);")
    return lines


def _coefficients(normalised: bool) -> list[str]:
    """Scale and shift of step t."""
    if not normalised:
        return []
    return ["const V scale = splat(of_step[4 * t]), shift = splat(of_step[4 * t + 1]);"]


def _loop(body: list[str]) -> list[str]:
    return ["for (long i = 0; i < n; i += W) {", *(f"  {line}" for line in body), "}"]


def _channel(name: str, lines: list[str]) -> str:
    head = f"static void {name}_channel(void** arrays, const double* scalars, const long* sizes, long c, long) {{"
    return "\n".join([head, "  const Sizes& s = *(const Sizes*)(const void*)sizes;", *(f"  {x}" for x in lines), "}"])


def _forward(program: Program, normalised: bool) -> str:
    states = range(len(program.next_states))
    statements = cpp.statements(program, program.graph.ancestors([program.spikes, *program.next_states]),
                                _loaded(program, x=_input(normalised)))  # fmt: skip
    body = [
        *statements,
        f"save(y_ + i, n{program.spikes});",
        *(f"save(s{i} + i, n{node});" for i, node in enumerate(program.next_states)),
    ]
    lines = [
        "const S* x = (const S*)arrays[0]; S* y = (S*)arrays[1];",
        *_setup(program, 7 + 3 * len(states)),
    ]
    if normalised:
        lines += [
            "C* of_step = (C*)arrays[6] + 4 * s.T * c;",
            "coefficients(s, arrays, scalars, x, c, of_step);",
        ]
    lines += [
        "pieces(s, c, [&](const Piece& p) __attribute__((always_inline)) {",
        "  const long n = p.size();",
        "  alignas(64) C room[ROOM], y_[ROOM];",
    ]
    for i in states:
        at = f"scalars[{2 + program.constants} + {i}]"
        lines.append(f"  alignas(64) C s{i}[ROOM]; start(p, s{i}, (const C*)arrays[{7 + 3 * i}], {at});")
    lines += ["  for (long t = 0; t < s.T; t++) {"]
    for i in states:
        kept = f"(C*)arrays[{8 + 3 * i}]"
        lines.append(f"    if ({kept} && t && t % s.K == 0) scatter(p, {kept} + (t / s.K - 1) * p.step, s{i});")
    lines += [
        "    const C* x_ = gathered(p, room, x + t * s.x_row);",
        "    if (s.x_row && t + 1 < s.T) foresee(p, x + (t + 1) * s.x_row);",
        *(f"    {line}" for line in [*_coefficients(normalised), *_loop(body)]),
        "    pool(s, p, y_, y + t * p.pooled_step);",
        "  }",
        *(f"  scatter(p, (C*)arrays[{9 + 3 * i}], s{i});" for i in states),
        "});",
    ]
    return _channel("forward", lines)


def _backward(program: Program, normalised: bool) -> str:
    states = range(len(program.next_states))
    kept = tuple(dict.fromkeys([*program.saved, program.spikes]))  # pooling asks for the spikes
    first_sum = 7 + 4 * len(states)
    first_parameter = first_sum + len(program.sums)
    again = cpp.statements(
        program, program.graph.ancestors([*program.next_states, *kept]), _loaded(program, x=_input(normalised))
    )
    again += [f"save(k{k} + (t - t0) * ROOM + i, n{node});" for k, node in enumerate(kept)]
    again += [f"save(s{i} + i, n{node});" for i, node in enumerate(program.next_states)]
    loaded = _loaded(program, x=_input(normalised), gy="load(g_ + i)")
    loaded |= {node: f"load(k{k} + (t - t0) * ROOM + i)" for k, node in enumerate(kept)}
    wanted = [g for g in (program.grad_x, *program.grad_states, *program.sums) if g is not None]
    body = cpp.statements(program, program.graph.ancestors(wanted, stop=kept), loaded)
    body.append(f"save(g_ + i, {'V{}' if program.grad_x is None else f'n{program.grad_x}'});")
    body += [f"save(gs{i} + i, {'V{}' if g is None else f'n{g}'});" for i, g in enumerate(program.grad_states)]
    body += [f"save(sum{k} + i, load(sum{k} + i) + n{node});" for k, node in enumerate(program.sums)]
    lines = [
        "const S* x = (const S*)arrays[0]; const S* gy = (const S*)arrays[1]; S* gx = (S*)arrays[2];",
        *_setup(program, first_parameter),
        *(f"double total{k} = 0;" for k in range(len(program.sums))),
        f"C* room = (C*)__builtin_malloc(sizeof(C) * s.K * ROOM * {len(kept)});",
        *(f"C* k{k} = room + s.K * ROOM * {k};" for k in range(len(kept))),
    ]
    if normalised:
        lines += [
            "const C* of_step = (const C*)arrays[3] + 4 * s.T * c;",
            "double* dots = (double*)__builtin_calloc(2 * s.T, sizeof(double));",
        ]
    lines += [
        "pieces(s, c, [&](const Piece& p) __attribute__((always_inline)) {",
        "  const long n = p.size();",
        "  alignas(64) C row[ROOM], g_[ROOM];",
    ]
    for i in states:
        lines.append(f"  alignas(64) C s{i}[ROOM], gs{i}[ROOM]; start(p, gs{i}, (const C*)arrays[{9 + 4 * i}], 0);")
    lines += [f"  alignas(64) C sum{k}[ROOM] = {{}};" for k in range(len(program.sums))]
    lines += [
        "  for (long t1 = s.T, t0; t1 > 0; t1 = t0) {",
        "    t0 = (t1 - 1) / s.K * s.K;",
    ]
    for i in states:
        given, rest = f"(const C*)arrays[{7 + 4 * i}]", f"scalars[{2 + program.constants} + {i}]"
        later = f"(const C*)arrays[{8 + 4 * i}] + (t0 / s.K - 1) * p.step"
        lines.append(f"    start(p, s{i}, t0 ? {later} : {given}, {rest});")
    lines += [
        "    for (long t = t0; t < t1; t++) {",
        "      const C* x_ = gathered(p, row, x + t * s.x_row);",
        "      if (s.x_row && t + 1 < t1) foresee(p, x + (t + 1) * s.x_row);",
        *(f"      {line}" for line in [*_coefficients(normalised), *_loop(again)]),
        "    }",
        "    for (long t = t1 - 1; t >= t0; t--) {",
        "      const C* x_ = gathered(p, row, x + t * s.x_row);",
        f"      spread_back(s, p, gy ? gy + t * p.pooled_step : nullptr, k{kept.index(program.spikes)} "
        "+ (t - t0) * ROOM, g_);",
        *(f"      {line}" for line in [*_coefficients(normalised), *_loop(body)]),
    ]
    if normalised:
        lines.append("      dot(x_, g_, n, of_step[4 * t + 2], dots + 2 * t);")
    lines += [
        "      if (gx && (s.gx_row || t == s.T - 1)) scatter(p, gx + t * s.gx_row, g_);",
        "      else if (gx) add_to(p, gx, g_);",
        "    }",
        "  }",
        *(f"  if (arrays[{10 + 4 * i}]) scatter(p, (C*)arrays[{10 + 4 * i}], gs{i});" for i in states),
        *(f"  total{k} += sum_of(sum{k}, n);" for k in range(len(program.sums))),
        "});",
        *(f"((double*)arrays[{first_sum + k}])[c] = total{k};" for k in range(len(program.sums))),
        "__builtin_free(room);",
    ]
    if normalised:
        lines += ["through_statistics(s, arrays, x, gx, c, of_step, dots);", "__builtin_free(dots);"]
    return _channel("backward", lines)


PIECES = """\
// Some neurons of one channel: `count` stretches of `length` numbers, `stride` apart from `offset` on; `pooled_..` of
// what pooling leaves of them.
struct Piece {
  long count, rows, length, stride, offset, step, pooled_length, pooled_stride, pooled_offset, pooled_step;
  long size() const { return count * length; }
};
template <class F> static inline void pieces(const Sizes& s, long c, F work) {
  const long height = s.kind ? s.H / s.kh : s.H, width = s.kind ? s.L / s.kw : s.L, below = s.kind ? s.kh : 1;
  const long plane = s.H * s.L, pooled = height * width;
  for (long image = 0; image < s.N; image += s.images)
    for (long row = 0; row < s.H; row += s.rows) {
      Piece p;
      p.count = s.N - image < s.images ? s.N - image : s.images;
      p.rows = s.H - row < s.rows ? s.H - row : s.rows;
      p.length = p.rows * s.L;
      p.stride = s.channels * plane;
      p.offset = (image * s.channels + c) * plane + row * s.L;
      p.step = s.N * p.stride;
      p.pooled_length = p.rows / below * width;
      p.pooled_stride = s.channels * pooled;
      p.pooled_offset = (image * s.channels + c) * pooled + row / below * width;
      p.pooled_step = s.N * p.pooled_stride;
      work(p);
    }
}
// A stretch is short: a call of the C library costs more than the copy.
static inline void move(C* to, const C* from, long n) {
  long i = 0;
  for (; i + W <= n; i += W) save(to + i, load(from + i));
  for (; i < n; i++) to[i] = from[i];
}
static inline void gather(const Piece& p, C* to, const S* from) {
  for (long k = 0; k < p.count; k++) move(to + k * p.length, from + p.offset + k * p.stride, p.length);
  for (long i = p.size(); i % W; i++) to[i] = 0;
}
// The stretch itself where there is one alone, else a copy in `room`.
static inline const C* gathered(const Piece& p, C* room, const S* from) {
  if (p.count == 1 && p.length % W == 0) return from + p.offset;
  gather(p, room, from);
  return room;
}
static inline void foresee(const Piece& p, const S* from) {  // hardware does not, beyond a stretch
  for (long k = 0; k < p.count; k++)
    for (long i = 0; i < p.length; i += 64 / sizeof(S)) __builtin_prefetch(from + p.offset + k * p.stride + i, 0, 2);
}
static inline void scatter(const Piece& p, S* to, const C* from) {
  for (long k = 0; k < p.count; k++) move(to + p.offset + k * p.stride, from + k * p.length, p.length);
}
static inline void add_to(const Piece& p, S* to, const C* from) {
  for (long k = 0; k < p.count; k++) {
    S* place = to + p.offset + k * p.stride;
    const C* row = from + k * p.length;
    for (long i = 0; i < p.length; i++) place[i] += row[i];
  }
}
static inline void start(const Piece& p, C* to, const C* from, C rest) {
  if (from) gather(p, to, from);
  else for (long i = 0; i < p.size() || i % W; i++) to[i] = rest;
}
typedef double D __attribute__((vector_size(8 * W)));
static inline D wide(V v) { return __builtin_convertvector(v, D); }
static inline double lanes(D d) { double r = 0; for (long k = 0; k < W; k++) r += d[k]; return r; }
static inline double sum_of(const C* p, long n) {
  D d = {}; long i = 0;
  for (; i + W <= n; i += W) d += wide(load(p + i));
  double r = lanes(d);
  for (; i < n; i++) r += p[i];
  return r;
}
"""

POOLING = """\
static inline C larger(C a, C b) {
  const bool beyond = (b > a) | (b != b);
  return beyond ? b : a;
}

// Windows of 2 x 2 in one row of them, of rows of any length.
static inline void largest_of_four(const C* __restrict a, const C* __restrict b, C* __restrict out, long width) {
  for (long j = 0; j < width; j++)
    out[j] = larger(larger(larger(a[2 * j], a[2 * j + 1]), b[2 * j]), b[2 * j + 1]);
}
static inline void to_largest_of_four(
    const C* __restrict a, const C* __restrict b, const C* __restrict of, C* __restrict ga, C* __restrict gb,
    long width) {
  for (long j = 0; j < width; j++) {
    const C first = a[2 * j], second = a[2 * j + 1], third = b[2 * j], fourth = b[2 * j + 1];
    const C two = larger(first, second), three = larger(two, third);
    const bool is_second = (second > first) | (second != second), is_third = (third > two) | (third != third);
    const bool is_fourth = (fourth > three) | (fourth != fourth), below = is_third | is_fourth;
    ga[2 * j] = below | is_second ? C(0) : of[j];
    ga[2 * j + 1] = below | !is_second ? C(0) : of[j];
    gb[2 * j] = is_fourth | !is_third ? C(0) : of[j];
    gb[2 * j + 1] = is_fourth ? of[j] : C(0);
  }
}

static inline void pool_rows(const Sizes& s, const Piece& p, const C* v, S* to) {
  const long kh = s.kh, kw = s.kw, width = s.L / kw;
  for (long r = 0; r < p.rows / kh; r++) {
    const C* in = v + r * kh * s.L;
    S* out = to + r * width;
    if (s.kind == 1 && kh == 2 && kw == 2) largest_of_four(in, in + s.L, out, width);
    else if (s.kind == 1)
      for (long j = 0; j < width; j++) {
        C best = in[j * kw];
        for (long a = 0; a < kh; a++) for (long b = 0; b < kw; b++) best = larger(best, in[a * s.L + j * kw + b]);
        out[j] = best;
      }
    else
      for (long j = 0; j < width; j++) {
        C sum = 0;
        for (long a = 0; a < kh; a++) for (long b = 0; b < kw; b++) sum += in[a * s.L + j * kw + b];
        out[j] = sum / C(kh * kw);
      }
  }
}
// Windows of 2 x 2 in rows of even length: first the pairs side by side, all rows in one run, then those above each
// other. What is written beyond a row is overwritten by the next.
static inline bool in_pairs(const Sizes& s) { return s.kh == 2 && s.kw == 2 && s.L % 2 == 0; }
static inline void side_by_side(const Sizes& s, const C* __restrict v, C* __restrict half, long n) {
  if (s.kind == 1) for (long i = 0; i < n; i++) half[i] = larger(v[2 * i], v[2 * i + 1]);
  else for (long i = 0; i < n; i++) half[i] = v[2 * i] + v[2 * i + 1];
}
static inline void pool_pairs(const Sizes& s, const Piece& p, const C* v, S* y) {
  const long width = s.L / 2, half_length = p.length / 2;
  alignas(64) C half[ROOM], out[ROOM];
  side_by_side(s, v, half, p.size() / 2);
  for (long k = 0; k < p.count; k++) {
    for (long r = 0; r < p.rows / 2; r++)
      for (long j = 0; j < width; j += W) {
        const C* at = half + k * half_length + 2 * r * width + j;
        const V a = load(at), b = load(at + width);
        save(out + r * width + j, s.kind == 1 ? ((b > a) | (b != b) ? b : a) : (a + b) / C(4));
      }
    copy(y + p.pooled_offset + k * p.pooled_stride, out, p.pooled_length);
  }
}
// Windows of 1 x 2 in rows of even length: all rows in one run.
static inline bool beside(const Sizes& s) { return s.kh == 1 && s.kw == 2 && s.L % 2 == 0; }
static inline void pool_beside(const Sizes& s, const Piece& p, const C* __restrict v, S* y) {
  alignas(64) C out[ROOM];
  if (s.kind == 1) side_by_side(s, v, out, p.size() / 2);
  else for (long i = 0; i < p.size() / 2; i++) out[i] = (C(0) + v[2 * i] + v[2 * i + 1]) / C(2);
  for (long k = 0; k < p.count; k++)
    copy(y + p.pooled_offset + k * p.pooled_stride, out + k * p.pooled_length, p.pooled_length);
}
static inline void pool(const Sizes& s, const Piece& p, const C* v, S* y) {
  if (!s.kind) scatter(p, y, v);
  else if (in_pairs(s)) pool_pairs(s, p, v, y);
  else if (beside(s)) pool_beside(s, p, v, y);
  else
    for (long k = 0; k < p.count; k++)
      pool_rows(s, p, v + k * p.length, y + p.pooled_offset + k * p.pooled_stride);
}

// The gradient of the largest goes to the first of them, row by row, as in PyTorch.
static inline void spread_rows(const Sizes& s, const Piece& p, const S* from, const C* v, C* g) {
  const long kh = s.kh, kw = s.kw, width = s.L / kw;
  for (long r = 0; r < p.rows / kh; r++) {
    const C* in = v + r * kh * s.L;
    const S* of = from + r * width;
    C* to = g + r * kh * s.L;
    if (s.kind == 1 && kh == 2 && kw == 2) to_largest_of_four(in, in + s.L, of, to, to + s.L, width);
    else if (s.kind == 2)
      for (long j = 0; j < width; j++)
        for (long a = 0; a < kh; a++) for (long b = 0; b < kw; b++) to[a * s.L + j * kw + b] = of[j] / C(kh * kw);
    else
      for (long j = 0; j < width; j++) {
        long place = j * kw;
        for (long a = 0; a < kh; a++)
          for (long b = 0; b < kw; b++) {
            const long here = a * s.L + j * kw + b;
            if ((in[here] > in[place]) | (in[here] != in[here])) place = here;
          }
        to[place] = of[j];
      }
  }
}
static inline void to_sides(const Sizes& s, const C* __restrict v, const C* __restrict half, C* __restrict g, long n) {
  if (s.kind == 1)
    for (long i = 0; i < n; i++) {
      const C a = v[2 * i], b = v[2 * i + 1];
      const bool second = (b > a) | (b != b);
      g[2 * i] = second ? C(0) : half[i];
      g[2 * i + 1] = second ? half[i] : C(0);
    }
  else
    for (long i = 0; i < n; i++) g[2 * i] = g[2 * i + 1] = half[i];
}
static inline void spread_pairs(const Sizes& s, const Piece& p, const S* gy, const C* v, C* g) {
  const long width = s.L / 2, half_length = p.length / 2;
  alignas(64) C half[ROOM], of_half[ROOM], of[ROOM];
  side_by_side(s, v, half, p.size() / 2);
  for (long k = 0; k < p.count; k++) {
    copy(of, gy + p.pooled_offset + k * p.pooled_stride, p.pooled_length);
    for (long row = 0; row < p.rows; row++) {
      const bool lost = row == p.rows - 1 && p.rows % 2;  // below the last window
      const C* above = half + k * half_length + row / 2 * 2 * width;
      for (long j = 0; j < width; j += W) {
        V one = lost ? V{} : load(of + row / 2 * width + j);
        const V a = load(above + j), b = load(above + width + j);
        if (s.kind == 2) one = one / C(4);
        else one = (b > a) | (b != b) ? (row % 2 ? one : V{}) : (row % 2 ? V{} : one);
        save(of_half + k * half_length + row * width + j, one);
      }
    }
  }
  to_sides(s, v, of_half, g, p.size() / 2);
}
static inline void spread_beside(const Sizes& s, const Piece& p, const S* gy, const C* v, C* g) {
  alignas(64) C of[ROOM];
  const long n = p.size() / 2;
  for (long k = 0; k < p.count; k++)
    copy(of + k * p.pooled_length, gy + p.pooled_offset + k * p.pooled_stride, p.pooled_length);
  if (s.kind == 2) for (long i = 0; i < n; i++) of[i] /= C(2);
  to_sides(s, v, of, g, n);
}
static inline void spread_back(const Sizes& s, const Piece& p, const S* gy, const C* v, C* g) {
  const long n = p.size();
  if (gy && !s.kind) return gather(p, g, gy);
  for (long i = gy && (in_pairs(s) || beside(s)) ? n : 0; i < n || i % W; i++) g[i] = 0;
  if (gy && in_pairs(s)) spread_pairs(s, p, gy, v, g);
  else if (gy && beside(s)) spread_beside(s, p, gy, v, g);
  else if (gy)
    for (long k = 0; k < p.count; k++)
      spread_rows(s, p, gy + p.pooled_offset + k * p.pooled_stride, v + k * p.length, g + k * p.length);
}
"""

STATISTICS = """\
// Sums over the neurons; a lane adds up at most AT_ONCE numbers in C.
enum { AT_ONCE = 16 };
struct Moments { double sum, squares; };
static inline void moments(const S* x, long n, long ahead, C near, Moments& of) {
  const V m = splat(near);
  long i = 0;
  while (i + W <= n) {
    V sum = {}, squares = {};
    for (long k = 0; k < AT_ONCE && i + W <= n; k++, i += W) {
      __builtin_prefetch(x + i + ahead, 0, 2);
      const V d = load(x + i) - m;
      sum += d; squares += d * d;
    }
    of.sum += lanes(wide(sum)); of.squares += lanes(wide(squares));
  }
  for (; i < n; i++) { const double d = x[i] - near; of.sum += d; of.squares += d * d; }
}
// Of each step: scale, shift, mean and 1 / std.
static void coefficients(
    const Sizes& s, void** arrays, const double* scalars, const S* x, long c, C* of_step) {
  const C weight = ((const C*)arrays[2])[c], bias = ((const C*)arrays[3])[c];
  C* running_mean = (C*)arrays[4] + c; C* running_var = (C*)arrays[5] + c;
  const long plane = s.H * s.L, steps = s.together ? s.T : 1;
  for (long first = 0; first < s.T; first += steps) {
    double mean = *running_mean, var = *running_var;
    if (s.trained) {
      const long seen = s.x_row ? steps : 1;  // the others are the same
      const double count = double(seen) * s.N * plane, all = double(steps) * s.N * plane;
      const C near = C(sum_of(x + first * s.x_row + c * plane, plane) / plane);  // so that squares cancel little
      Moments of = {};
      for (long t = first; t < first + seen; t++)
        for (long image = 0; image < s.N; image++)
          moments(x + t * s.x_row + (image * s.channels + c) * plane, plane, s.channels * plane, near, of);
      const double away = of.sum / count, squares = of.squares - of.sum * away;
      mean = near + away;
      var = squares / count;
      *running_mean = C(scalars[1] * C(mean) + (1 - scalars[1]) * *running_mean);
      *running_var = C(scalars[1] * C(var * all / (all - 1)) + (1 - scalars[1]) * *running_var);
    }
    const C inverse = C(1 / __builtin_sqrt(var + scalars[0])), scale = inverse * weight;
    for (long t = first; t < first + steps; t++) {
      C* to = of_step + 4 * t;
      to[0] = scale; to[1] = bias - C(mean) * scale; to[2] = C(mean); to[3] = inverse;
    }
  }
}
// Adds sum(g) and sum(g (x - mean)) to the two of `to`.
static inline void dot(const C* x, const C* g, long n, C mean, double* to) {
  const V m = splat(mean);
  long i = 0;
  while (i + W <= n) {
    V sum = {}, product = {};
    for (long k = 0; k < AT_ONCE && i + W <= n; k++, i += W) {
      const V one = load(g + i);
      sum += one; product += one * (load(x + i) - m);
    }
    to[0] += lanes(wide(sum)); to[1] += lanes(wide(product));
  }
  for (; i < n; i++) { to[0] += g[i]; to[1] += g[i] * (x[i] - mean); }
}
// What the statistics of the steps take from the gradient of x: `m` and `k` times the distance to the mean.
struct Share { C m, k; };
static inline void correct(const Sizes& s, const S* from, S* to, long c, C mean, C scale, Share of) {
  const long plane = s.H * s.L;
  for (long image = 0; image < s.N; image++) {
    const long at = (image * s.channels + c) * plane;
    long i = at;
    for (; i + W <= at + plane; i += W)
      save(to + i, (load(to + i) - of.m - (load(from + i) - mean) * of.k) * scale);
    for (; i < at + plane; i++) to[i] = (to[i] - of.m - (from[i] - mean) * of.k) * scale;
  }
}
// Without statistics of the input there is nothing to take: 0 times an infinite input would be no number.
static inline void scaled(const Sizes& s, S* to, long c, C scale) {
  const long plane = s.H * s.L;
  for (long image = 0; image < s.N; image++)
    for (long i = 0; i < plane; i++) to[(image * s.channels + c) * plane + i] *= scale;
}
// From the gradient of the normalised input, in gx, to that of x; that of weight and bias.
static void through_statistics(
    const Sizes& s, void** arrays, const S* x, S* gx, long c, const C* of_step, double* dots) {
  const C weight = ((const C*)arrays[4])[c];
  const long plane = s.H * s.L, steps = s.together ? s.T : 1;
  double of_weight = 0, of_bias = 0;
  Share of_all = {};
  for (long first = 0; first < s.T; first += steps) {
    double sum = 0, product = 0;
    for (long t = first; t < first + steps; t++) { sum += dots[2 * t]; product += dots[2 * t + 1]; }
    const C mean = of_step[4 * first + 2], inverse = of_step[4 * first + 3];
    of_bias += sum; of_weight += product * inverse;
    if (!gx) continue;
    const double count = double(steps) * s.N * plane;
    const C m = C(sum / count), k = C(product * inverse * inverse / count);
    const C scale = inverse * weight;
    for (long t = first; t < first + steps; t++) {
      of_all.m += m; of_all.k += k;
      if (!s.trained && (s.gx_row || t == 0)) scaled(s, gx + t * s.gx_row, c, scale);
      else if (s.trained && s.gx_row) correct(s, x + t * s.x_row, gx + t * s.gx_row, c, mean, scale, Share{m, k});
      else if (s.trained && t == s.T - 1) correct(s, x, gx, c, mean, scale, of_all);
    }
  }
  ((C*)arrays[5])[c] = C(of_weight); ((C*)arrays[6])[c] = C(of_bias);
}
"""

_ENTRIES = """\
extern "C" void forward(void** arrays, const double* scalars, const long* sizes) {
  run(forward_channel, arrays, scalars, sizes);
}
extern "C" void backward(void** arrays, const double* scalars, const long* sizes) {
  run(backward_channel, arrays, scalars, sizes);
}
"""
