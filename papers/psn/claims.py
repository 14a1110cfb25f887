"""Claims of the PSN work as functions over the measured results, numbered as in the specification (C1 to C15).

The work has single runs; here differences are paired by seed, and two seeds decide nothing. Claims about accuracy and
rates are about whole trainings on images column by column: other tasks and a few epochs are shown and decide nothing.
The exact claims rest on the checks that every run makes on its trained layers (`papers.psn.identities`). C13 is in
`papers.psn.speed`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

from ..claims import Finding, merge, nothing
from ..evidence import Evidence
from ..measures import ACCURACY, Measure
from ..paired import COMPARABLE, Differences, Score, decided_at, difference, positive, small
from ..protocols import BEST, LAST, Protocol, best_where
from ..table import Claim

CLOSED = Protocol(
    name="A closed",
    says="best epoch on the test set with the mask closed (lambda = 1)",
    select=best_where("lambda", 1.0),
    label="mask closed",
)
RATE = Measure("firing_rate", "fraction", "lower", "student", difference="points")
PIXEL_DIGITS, DIGIT_RECALL = "pixel digits", "digit recall"
FURTHER = (PIXEL_DIGITS, DIGIT_RECALL)  # columns of tasks that are not the work's
FAMILY = ("PSN", "sliding PSN", "masked PSN")
VANILLA = ("GLIF", "PLIF", "KLIF")
NO_RESET = "LIF without reset"
ORDERING = (  # C5: each pair as (better, worse)
    *pairwise(FAMILY),
    *(("masked PSN", vanilla) for vanilla in VANILLA),
    *((vanilla, "LIF") for vanilla in VANILLA),
    ("LIF", NO_RESET),
)
SATURATED = "k=4"  # the order from which accuracy no longer rises in the authors' logs
Decide = Callable[[Evidence], Finding]


def _by_scale(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
    """Test accuracy by the protocol of the scale: the last epoch on small test sets, else the best as in the work.

    Of a masked PSN only epochs with its mask closed (lambda = 1) count, once there are any.
    """
    for protocol in (LAST,) if evidence.scale == "quick" else (CLOSED, BEST):
        found = evidence.value(row, column, seed, ACCURACY, protocol)
        if found is not None:
            return found
    return None


def _last_rate(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
    """Spikes per neuron and step after the last epoch, mean over the layers."""
    rates = [curve[-1] for curve in evidence.layers(row, column, seed, "rate")]
    return statistics.fmean(rates) if rates else None


SCORE, FIRING = Score(ACCURACY, _by_scale), Score(RATE, _last_rate)


def _on_the_works_task(found: Iterable[tuple[str, str, Finding]]) -> Finding:
    """One finding out of several, each with its column and name; FURTHER columns are shown and decide nothing."""
    groups: dict[bool, list[tuple[str, Finding]]] = {False: [], True: []}
    for column, name, finding in found:
        groups[column in FURTHER].append((name, finding))
    return merge(groups[False], groups[True])


def _by_protocol(decide: Callable[[Evidence, str], Finding | None]) -> Decide:
    """Decides a claim column by column; columns that were not measured are left out."""

    @decided_at("quick", "paper")
    def decided(evidence: Evidence) -> Finding:
        found = ((column, evidence.heading(column), decide(evidence, column)) for column in evidence.columns)
        return _on_the_works_task((column, name, finding) for column, name, finding in found if finding is not None)

    return decided


def _pairs(evidence: Evidence, column: str, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, Finding]]:
    """A named finding for each pair (better, worse) that was measured."""
    found = (
        (f"{better} > {worse}", positive(difference(evidence, column, (better, worse), SCORE)))
        for better, worse in pairs
    )
    return [(name, finding) for name, finding in found if finding is not None]


def _exact(what: str) -> Decide:
    """Decides that two computations of a layer agree spike by spike, by the metrics `what`_difference and _ties."""

    def decide(evidence: Evidence) -> Finding:
        found = []
        places = dict.fromkeys(
            (row, column) for row, column, _, name in evidence.finals if name == f"{what}_difference"
        )
        for row, column in places:
            runs = [
                (value, evidence.final(row, column, seed, f"{what}_ties") or 0.0)
                for seed in evidence.seeds
                if (value := evidence.final(row, column, seed, f"{what}_difference")) is not None
            ]
            if not runs:
                continue
            total, ties = (sum(values) for values in zip(*runs, strict=True))
            text = f"sum of absolute differences {total:g} ({len(runs)} run{'s' * (len(runs) > 1)})"
            if ties:
                text += f", {ties:g} of them where the potential is within rounding of the threshold"
            found.append(
                (f"{row} {evidence.heading(column)}", Finding("holds" if total <= ties else "fails", text, EXACT_TEST))
            )
        return merge(found)

    return decide


EXACT_TEST = (
    "on the trained layers and what reaches them from test samples: no difference, rounding at the threshold aside"
)


def _weight(evidence: Evidence) -> Finding:
    worst = [value for (_, _, _, name), value in evidence.finals.items() if name == "weight_difference"]
    test = "largest difference over the trained layers and lambda = 0, 1/4, 1/2, 3/4, 1 is below 1e-6"
    if not worst:
        return nothing()
    status = "holds" if max(worst) < 1e-6 else "fails"
    return Finding(status, f"largest difference {max(worst):.1g} ({len(worst)} runs)", test)


def _overhead(evidence: Evidence) -> Finding:
    test = "learned values of the neurons, counted, against T^2 + T a layer (sliding PSN: k + 1)"
    counts = {
        (row, column): (value, evidence.final(row, column, seed, "neuron_parameters_expected"))
        for (row, column, seed, name), value in evidence.finals.items()
        if name == "neuron_parameters"
    }
    found = [
        (
            f"{row} {evidence.heading(column)}",
            Finding("holds" if count == expected else "fails", f"{count:g} of {expected:g}", test),
        )
        for (row, column), (count, expected) in counts.items()
        if expected is not None
    ]
    return merge(found)


@decided_at("quick", "paper")
def _saturates(evidence: Evidence) -> Finding:
    named: list[tuple[str, Finding | None]] = []
    for column in ("masked", "sliding"):
        orders = (row for row, c, _, _ in evidence.curves if c == column)
        last = max(orders, key=evidence.at.__getitem__, default=SATURATED)
        rise = difference(evidence, column, (SATURATED, "k=1"), SCORE)
        level = difference(evidence, column, (last, SATURATED), SCORE)
        named += [
            (f"{evidence.heading(column)} {SATURATED} above k=1", positive(rise)),
            (f"{evidence.heading(column)} {last} near {SATURATED}", small(level)),
        ]
    found = [(name, finding) for name, finding in named if finding is not None]
    return merge(found)


@decided_at("quick", "paper")
def _sliding_ahead(evidence: Evidence) -> Finding:
    orders = sorted({row for row, _, _, _ in evidence.curves}, key=evidence.at.__getitem__)
    by_seed, ahead, compared = [], 0, 0
    for seed in evidence.seeds:
        gaps = []
        for k in orders:
            sliding, masked = (SCORE.value(evidence, k, column, seed) for column in ("sliding", "masked"))
            if sliding is not None and masked is not None:
                gaps.append(ACCURACY.shown(sliding - masked))
        if gaps:
            by_seed.append(statistics.fmean(gaps))
            ahead, compared = ahead + sum(gap >= 0 for gap in gaps), compared + len(gaps)
    finding = positive(Differences(by_seed, ACCURACY.difference))
    if finding is None:
        return nothing()
    text = f"sliding minus masked, mean over orders {finding.evidence}, ahead in {ahead} of {compared} comparisons"
    return replace(finding, evidence=text)


def _family_ahead(evidence: Evidence, column: str) -> Finding | None:
    pairs = _pairs(
        evidence, column, ((member, vanilla) for member in FAMILY for vanilla in (*VANILLA, "LIF", NO_RESET))
    )
    if not pairs:
        return None
    fails = [name for name, finding in pairs if finding.status == "fails"]
    holds = sum(finding.status == "holds" for _, finding in pairs)
    text = f"{holds} of {len(pairs)} pairs hold, {len(pairs) - holds - len(fails)} undecided, {len(fails)} fail"
    return replace(merge(pairs), evidence=f"{text} ({', '.join(fails)})" if fails else text, parts=())


def _ordered(pairs: Iterable[tuple[str, str]], *scales: str) -> Decide:
    """Every pair (better, worse) must hold in every column of the work; decided at `scales`."""
    pairs = tuple(pairs)

    @decided_at(*scales)
    def decide(evidence: Evidence) -> Finding:
        return _on_the_works_task(
            (column, f"{name} ({evidence.heading(column)})", finding)
            for column in evidence.columns
            for name, finding in _pairs(evidence, column, pairs)
        )

    return decide


def _nearly_equal(evidence: Evidence, column: str) -> Finding | None:
    if column == "CIFAR10" and evidence.scale != "quick":
        return None
    return small(difference(evidence, column, ("sliding PSN", "PSN"), SCORE))


@decided_at("paper")
def _reached(evidence: Evidence) -> Finding:
    test = "the 95 % interval of the measured accuracy reaches the published one"
    found = []
    for (row, column), printed in evidence.published.items():
        values = [SCORE.value(evidence, row, column, seed) for seed in evidence.seeds_of(column, row)]
        within = evidence.interval(column, ACCURACY, [value for value in values if value is not None] or [0.0])
        if any(value is not None for value in values) and printed and within:
            low, high = map(ACCURACY.shown, within)
            status = "holds" if high >= min(printed) else "fails"
            text = f"[{low:.2f}, {high:.2f}] against {min(printed):.2f} {ACCURACY.show}"
            found.append((f"{row} {evidence.heading(column)}", Finding(status, text, test)))
    return merge(found) if found else nothing("nothing comparable was measured yet")


C1 = Claim(
    "C1",
    "Masked PSN (lambda = 1): a sequence step by step gives what the whole gives",
    "README: sum of absolute differences 0",
    _exact("masked_steps"),
)
C2_STEPS = Claim(
    "C2 (steps)",
    "Sliding PSN: a sequence step by step gives what the whole gives",
    "README: sum of absolute differences 0",
    _exact("sliding_steps"),
)
C2_FORMS = Claim(
    "C2 (forms)",
    "Sliding PSN: matrix product and convolution give the same spikes",
    "README: sum of absolute differences 0",
    _exact("sliding_forms"),
)
C3 = Claim(
    "C3",
    "The masked weight is W o (lambda M_k + 1 - lambda), at lambda = 1 the band alone",
    "README, printed for k = 2, T = 4",
    _weight,
)
C4 = Claim(
    "C4",
    "LIF without reset is a PSN with a fixed lower-triangular matrix",
    "Fang et al. 2023, derivation of the PSN",
    _exact("fixed_matrix"),
)
C5 = Claim(
    "C5",
    "Accuracy: PSN > sliding > masked > GLIF, PLIF, KLIF > LIF > LIF without reset",
    "Fang et al. 2023, sequential CIFAR; single runs, sliding PSN with another optimiser than the rest",
    _ordered(ORDERING, "quick", "paper"),
)
C6 = Claim(
    "C6",
    "Every member of the PSN family is more accurate than every other neuron",
    "Fang et al. 2023, sequential CIFAR",
    _by_protocol(_family_ahead),
)
C7 = Claim(
    "C7",
    "Taking the reset away from LIF costs accuracy",
    "Fang et al. 2023, sequential CIFAR; the authors' two attempts of LIF differ by as much",
    _by_protocol(lambda evidence, column: positive(difference(evidence, column, ("LIF", NO_RESET), SCORE))),
)
C8 = Claim(
    "C8",
    f"Accuracy rises with the order and then saturates ({SATURATED} against 1 and the largest, "
    f"within {COMPARABLE:g} points)",
    "Fang et al. 2023, accuracy against order; one run an order",
    _saturates,
)
C9 = Claim(
    "C9",
    "Sliding PSN is at least as accurate as masked PSN of the same order",
    "Fang et al. 2023, accuracy against order; in the authors' logs true for 27 of 32 orders",
    _sliding_ahead,
)
C10 = Claim(
    "C10",
    "Sliding PSN of full order nearly equals PSN",
    "Fang et al. 2023, sequential CIFAR100: 62.11 and 62.21 %; not so on CIFAR10",
    _by_protocol(_nearly_equal),
)
C11 = Claim("C11", "The published accuracies are reached", "Fang et al. 2023, comparison tables", _reached)
C12 = Claim(
    "C12",
    "More frames help on CIFAR10-DVS: T = 4 < 8 < 10",
    "Fang et al. 2023: 82.30 < 85.30 < 85.90 %",
    _ordered(pairwise(f"sliding PSN, T={T}" for T in (10, 8, 4)), "paper"),
)
C14 = Claim(
    "C14",
    "A layer of PSN adds T^2 + T parameters",
    "Fang et al. 2023, as quoted: 340 for ResNet-18 at T = 4, 17 layers of 20; the released network has 20 layers",
    _overhead,
)
C15 = Claim(
    "C15",
    "Taking the reset away raises firing rates",
    "Fang et al. 2023, as quoted, without numbers",
    _by_protocol(lambda evidence, column: positive(difference(evidence, column, (NO_RESET, "LIF"), FIRING))),
)
