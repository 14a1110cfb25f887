"""Claims of the T2FSNN work and of its model's paper, as far as measured trainings can decide them (spec, section 11).

C3, the speed of a training against one through time, is decided by a measurement (papers.ttfs.speed).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable

from ..claims import SCALE, UNDECIDED, Comparison, Finding, Part, conclude, nothing
from ..comparison import AGAINST, LAST_EPOCHS, WELCH, Reading, Score, above, by_column, compare, greater, level
from ..evidence import Evidence
from ..measures import ACCURACY, SILENT
from ..table import Claim
from .protocols import STEPS, STOPPED

RELEASED, SHUFFLED, CORRECTED = "released", "released, shuffled", "corrected"
NARROW, WIDE = "clip 0.25", "clip 11"
CONSTANT, RELU = "constant threshold", "ReLU network"
RAW, NORMALISED = "MNIST, raw", "MNIST, normalised"
ADDITION, MULTIPLY_ADD = 0.9, 4.6  # pJ in 32-bit floating point at 45 nm (Horowitz, ISSCC 2014)

READ_BEFORE = (0.5, 1.0, 1.5)  # windows before the end of the last one (papers.ttfs.answers)
EXACT = "exact, on the trained networks in double precision"
DIFFERENCE = 1e-4  # of gradients, in the largest of the layer


def _places(evidence: Evidence, metric: str) -> Iterable[tuple[str, str, int, float]]:
    """Where a run has a metric of the whole run."""
    for (row, column, seed, name), value in sorted(evidence.finals.items()):
        if name == metric and column in evidence.columns:
            yield row, column, seed, value


def _of_runs(
    metric: str, says: Callable[[Evidence, str, str, int, float], tuple[str, bool] | None], test: str
) -> Callable[[Evidence], Finding]:
    """Decides an exact claim by every run that has `metric`; a run that it does not concern is None."""

    def decide(evidence: Evidence) -> Finding:
        found = []
        for row, column, seed, value in _places(evidence, metric):
            told = says(evidence, row, column, seed, value)
            if told is not None:
                text, holds = told
                found.append(Comparison(text, holds, float(holds), f"{row}, seed {seed}", evidence.heading(column)))
        return conclude(found, f"{EXACT}: {test}", unit="column", brief=len(found) > 6)

    return decide


def _converges(evidence: Evidence, row: str, column: str, seed: int, late_inputs: float) -> tuple[str, bool] | None:
    """Of networks whose inputs come within their window: late ones are the known exception."""
    if late_inputs:
        return None
    numbers = [
        (steps, *(evidence.final(row, column, seed, f"{what}_{steps}") for what in ("wrong", "late")))
        for steps in STEPS
    ]
    if any(value is None for told in numbers for value in told):
        return None
    texts = [f"{wrong:g} wrong, {late:.3f} steps late at most with {steps}" for steps, wrong, late in numbers]
    return "; ".join(texts), not any(wrong for _, wrong, _ in numbers)


def _cost(evidence: Evidence, row: str, column: str, seed: int, passes: float) -> tuple[str, bool] | None:
    simulated = [(steps, evidence.final(row, column, seed, f"passes_{steps}")) for steps in STEPS]
    counts = [(steps, count) for steps, count in simulated if count is not None]
    if len(counts) < 2:
        return None
    (few, least), (many, most) = counts[0], counts[-1]
    per_step = (most - least) / (many - few)
    text = f"{passes:g} passes a sample in closed form, {least:g} to {most:g} with {few} to {many} steps"
    return text, passes < least and per_step > 0


def _gradients(evidence: Evidence, row: str, column: str, seed: int, difference: float) -> tuple[str, bool]:
    compared = evidence.final(row, column, seed, "gradients") or 0
    cosine = evidence.final(row, column, seed, "clipped_cosine")
    text = f"{difference:.1g} at most in {compared:g} weights"
    text += "" if cosine is None else f"; cosine to the gradient clipped at 1: {cosine:.3f}"
    return text, difference < DIFFERENCE


def _once(evidence: Evidence, row: str, column: str, seed: int, most: float) -> tuple[str, bool]:
    return f"{most:g} spike{'s' * (most != 1)} of a neuron at most", most <= 1


def _sparse(evidence: Evidence) -> Finding:
    """Numbers of the last epoch; there is no verified one to hold them against."""
    parts = []
    for row, column in dict.fromkeys((row, column) for row, column, _, name in evidence.curves if name == "additions"):
        last: dict[str, float] = {}
        for name in ("additions", "multiply_adds", "silent"):
            curves = [evidence.curve(row, column, seed, name) for seed in evidence.seeds]
            values = [curve[-1] for curve in curves if curve]
            if values:
                last[name] = statistics.fmean(values)
        if len(last) == 3 and last["multiply_adds"]:
            energy = last["additions"] * ADDITION / (last["multiply_adds"] * MULTIPLY_ADD)
            text = (
                f"{1 - last['silent']:.3f} spikes per neuron, {last['additions']:,.0f} additions for "
                f"{last['multiply_adds']:,.0f} multiply-adds without spikes, {100 * energy:.0f} % of their energy"
                f"{_answers(evidence, row, column)}"
            )
            parts.append(Part(f"{row}, {evidence.heading(column)}", UNDECIDED, text))
    if not parts:
        return nothing(stand_in=evidence.stand_in)
    model = f"a model: {ADDITION} pJ an addition, {MULTIPLY_ADD} pJ a multiply-add, memory left out"
    return Finding(UNDECIDED, "no number to hold it against", f"shown only, no number was published; {model}",
                   tuple(parts), SCALE, evidence.stand_in)  # fmt: skip


def _answers(evidence: Evidence, row: str, column: str) -> str:
    """After how many windows the network answers, and how often it is right when it is read before."""
    told: dict[str, float] = {}
    for name in ("windows", *(f"right_{before:g}" for before in (0.0, *READ_BEFORE))):
        values = [evidence.final(row, column, seed, name) for seed in evidence.seeds]
        known = [value for value in values if value is not None]
        if not known:
            return ""
        told[name] = statistics.fmean(known)
    early = ", ".join(f"{100 * told[f'right_{before:g}']:.1f} % {before:g} earlier" for before in READ_BEFORE)
    return f", {100 * told['right_0']:.1f} % right after {told['windows']:g} windows, {early}"


def _on_a_cpu(evidence: Evidence) -> Finding:
    places = _places(evidence, "train_throughput")
    found = [f"{value:,.0f}" for row, _, _, value in sorted(places, key=lambda place: place[-1]) if RELU not in row]
    if not found:
        return nothing(stand_in=evidence.stand_in)
    between = " to ".join(dict.fromkeys((found[0], found[-1])))
    text = f"{between} images a second in training of networks of spikes, on the machines of the runs"
    return Finding(UNDECIDED, text, "shown only, the work says no time", (), SCALE, evidence.stand_in)


SCORE = level(ACCURACY, STOPPED)


def _silent(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
    found = evidence.curve(row, column, seed, SILENT.name)[-LAST_EPOCHS:]
    return statistics.fmean(found) if found else None


QUIET = Score(SILENT, lambda scale: (Reading(f"over the last {LAST_EPOCHS} epochs", _silent),))


def _not_below_constant(evidence: Evidence, column: str) -> list[Comparison]:
    return compare(evidence, (CORRECTED, column), (CONSTANT, column), SCORE, above())


C1 = Claim(
    "C1",
    "The closed form is the limit of the simulation: a neuron with the same inputs fires less than a step earlier, and "
    "the same neurons are silent",
    "README: no simulation over time steps; derivation",
    _of_runs("late_inputs", _converges, "each layer with its own inputs, where all come within their window"),
)
C2 = Claim(
    "C2",
    "The cost of the closed form does not depend on a number of steps, that of a simulation grows with it",
    "README",
    _of_runs("passes", _cost, "passes of a sample through the operators of the layers that fire, counted"),
)
C4 = Claim(
    "C4",
    "Gradients without the clip are exact",
    "derivation; the official code's automatic differentiation",
    _of_runs(
        "gradient_difference",
        _gradients,
        f"central differences, below {DIFFERENCE:g} of the largest gradient of the layer",
    ),
)
C5 = Claim(
    "C5",
    "Each neuron fires at most once",
    "abstract of the paper",
    _of_runs("most_spikes", _once, f"simulated with {STEPS[0]} steps"),
)
C6 = Claim(
    "C6",
    "A falling threshold learns better than a constant one",
    "abstract: the most accurate of its kind; its tables could not be read",
    by_column(_not_below_constant, f"{WELCH}: higher in every column; {AGAINST}"),
)
C7 = Claim(
    "C7",
    "Spikes are sparse and save energy",
    "abstract, without a verified number",
    _sparse,
)
C8 = Claim(
    "C8",
    "With a falling threshold fewer neurons stay silent than with a constant one",
    "abstract: over-sparse firing is relieved",
    greater(CONSTANT, CORRECTED, QUIET),
)
C9 = Claim(
    "C9",
    "Training on a CPU takes too much time",
    "README",
    _on_a_cpu,
)
ALL = (C1, C2, C4, C5, C6, C7, C8, C9)
