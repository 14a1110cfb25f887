"""What is measured: unit, direction and interval of each number. Whatever shows or judges a number asks here.

A measure is stored in its `unit`. Its curve on a split of the data is the metric SPLIT_NAME ("test_accuracy"), a value
for each `over`; one that is measured once, with over = "", is the metric NAME.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from core.registry import Registry

TRAIN, VALIDATION, TEST = "train", "validation", "test"  # the splits of a data set
SHOWN = {"fraction": ("%", 100.0), "1": ("", 1.0)}  # stored unit: the unit a reader gets, and how many of it one is
POINTS, PART, LEAST, FACTOR = 1.0, 4, 0.1, 1.25
RESOLUTION = (
    f"{POINTS:g} point for a share, near the ceiling 1/{PART} of the published error and at least {LEAST:g} point; a "
    f"factor of {FACTOR:g} for a loss; 1/10 of any other published number"
)


@dataclass(frozen=True)
class Measure:
    """`better` is "higher" or "lower"; `interval` a rule of papers.statistics; `difference` what differences are in.

    Losses are `logarithmic`: what counts is by which factor they differ. `resolution` is the widest half of a
    prediction interval that still tells something, in the unit that is shown, or a factor where logarithmic; None: as
    RESOLUTION says. A measure whose interval rule is "exact" has none.
    """

    name: str
    unit: str
    better: str
    interval: str
    over: str = "epoch"
    difference: str = ""
    logarithmic: bool = False
    resolution: float | None = None

    def curve(self, split: str) -> str:
        """The metric that holds the measure on `split`."""
        return f"{split}_{self.name}"

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")

    @property
    def show(self) -> str:
        """The unit that a reader gets."""
        return SHOWN.get(self.unit, (self.unit, 1.0))[0]

    def shown(self, value: float) -> float:
        """A stored value in the unit `show`."""
        return shown(value, self.unit)[0]

    def stored(self, value: float) -> float:
        """A value in the unit `show` as it is stored."""
        return value / SHOWN.get(self.unit, ("", 1.0))[1]

    def once(self, part: str = "") -> Measure:
        """The same measured once and not epoch by epoch: the metric NAME, of one `part` the metric NAME_PART."""
        return replace(self, over="", name=f"{self.name}_{part}" if part else self.name)

    @property
    def share(self) -> bool:
        """Whether its values are parts of a whole."""
        return self.unit == "fraction"

    @property
    def exact(self) -> bool:
        """Whether its values are compared to the printed digits, as nothing about them is left to chance."""
        return self.interval == "exact"

    def scaled(self, value: float) -> float:
        """A shown value on the scale on which values are compared; a loss of 0 lies at minus infinity there."""
        if not self.logarithmic:
            return value
        return math.log(value) if value > 0 else -math.inf

    def unscaled(self, value: float) -> float:
        """The shown value at a place of that scale."""
        return math.exp(value) if self.logarithmic else value

    def resolves(self, published: float) -> float:
        """The resolution on the scale of comparison, for a value that was published as `published`."""
        if self.logarithmic:
            return math.log(self.resolution or FACTOR)
        if self.resolution is not None:
            return self.resolution
        if not self.share:
            return abs(published) / 10
        error = self.shown(1.0) - published if self.better == "higher" else published
        return min(POINTS, max(error / PART, LEAST))

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.better == "higher" else -1


def shown(value: float, unit: str) -> tuple[float, str]:
    """A value and its unit as a reader gets them."""
    name, factor = SHOWN.get(unit, (unit, 1.0))
    return value * factor, name


ACCURACY = Measure("accuracy", "fraction", "higher", "wilson", difference="points")
MSE = Measure("mse", "1", "lower", "student", logarithmic=True)
AVERAGE_PRECISION = Measure("average_precision", "fraction", "higher", "bootstrap", difference="points")
SAVED = Measure("saved", "MiB", "lower", "exact", over="")
RATE = Measure("spikes_per_step", "1", "lower", "student", over="")
# By first spike (FS) and by rate (FR); delays are steps until that share of the accuracy is there.
ACCURACY_FS, ACCURACY_FR = (replace(ACCURACY, name=f"accuracy_{coding}") for coding in ("fs", "fr"))
TD50_FS, TD90_FS, TD50_FR, TD90_FR = (
    Measure(f"td{share}_{coding}", "steps", "lower", "student", difference="steps")
    for coding in ("fs", "fr")
    for share in (50, 90)
)
SPIKES = Measure("spikes_per_neuron", "1", "lower", "student")
RIGHT_BY_STEP = {f"{measure.name}_by_step": measure for measure in (ACCURACY_FS, ACCURACY_FR)}  # samples of a run
TIMING = (ACCURACY_FS, ACCURACY_FR, TD50_FS, TD90_FS, TD50_FR, TD90_FR, SPIKES)
# What a trained network costs (papers.leaderboard.costs); the last two are multiples of the least time possible.
INFERENCE, LATENCY, SPIKES_PER_SAMPLE, OVER_PRODUCTS, OVER_COPIES = RUNNING = (
    Measure("inference_throughput", "samples/s", "higher", "student", over="", logarithmic=True),
    Measure("latency", "ms", "lower", "student", over="", logarithmic=True),
    Measure("spikes_per_sample", "count", "lower", "student", over="", logarithmic=True),
    Measure("over_products", "1", "lower", "student", over="", logarithmic=True),
    Measure("over_copies", "1", "lower", "student", over="", logarithmic=True),
)
EVERY = {m.name: m for m in (ACCURACY, MSE, AVERAGE_PRECISION, SAVED, RATE, *TIMING, *RUNNING)}
# What a result costs: of trainings the seconds and the bytes of a run (results.run), and the metric of that name.
SECONDS, PEAK_MEMORY, THROUGHPUT = COSTS = (
    Measure("seconds", "s", "lower", "student", over="", logarithmic=True),
    Measure("peak_memory", "B", "lower", "student", over="", logarithmic=True),
    Measure("train_throughput", "samples/s", "higher", "student", over="", logarithmic=True),
)
TRAIN_SECONDS = replace(SECONDS, name="train_seconds")  # of a training alone, without its evaluations
# Made of what the measure `operations` counts (papers.operations), for a sample.
ACCUMULATES, MULTIPLY_ACCUMULATES, ENERGY = COUNTED = (
    Measure("accumulates", "op", "lower", "student", over="", logarithmic=True),
    Measure("multiply_accumulates", "op", "lower", "student", over="", logarithmic=True),
    Measure("energy", "J", "lower", "student", over="", logarithmic=True),
)
CHEAPER = {
    "s": "lower", "ms": "lower", "us": "lower", "B": "lower", "MiB": "lower", "J": "lower",
    "samples/s": "higher", "updates/s": "higher",
}  # by the unit of a cost  # fmt: skip
LARGEST = "largest_"  # how the metrics begin that count how much fits in a limit
# Of a network and not of its answers: the metric SILENT.name. Claims compare it, no cell has it.
SILENT = Measure("silent", "fraction", "lower", "student", difference="points")


def timed(names: Collection[str]) -> bool:
    """Whether the times of spikes are among the measures of these names."""
    return ACCURACY_FS.name in names


# What an experiment may name as its measures, and what computes each (training.measures).
registry = Registry(
    "measure",
    {
        "accuracy": "training.measures:Accuracy",
        "firing_rates": "training.measures:FiringRates",
        "constants": "training.measures:Constants",
        "mse": "training.squared_error:SquaredError",
        "average_precision": "training.average_precision:AveragePrecision",
        "accuracy_fs": "training.spike_timing:FirstSpikeAccuracy",
        "accuracy_fr": "training.spike_timing:FiringRateAccuracy",
        "td50_fs": "training.spike_timing:FirstSpikeDelay50",
        "td90_fs": "training.spike_timing:FirstSpikeDelay90",
        "td50_fr": "training.spike_timing:FiringRateDelay50",
        "td90_fr": "training.spike_timing:FiringRateDelay90",
        "spikes_per_neuron": "training.spike_timing:SpikeCounts",
        "single_spikes": "training.single_spikes:SingleSpikes",
        "operations": "training.operations:Operations",
    },
    group="spikebench.measures",
)
USUAL = ("accuracy", "firing_rates", "constants")  # what an experiment records that names none


def cost(name: str, unit: str) -> Measure | None:
    """The measure behind a metric of a measurement of speed or memory; None for what is neither better nor worse."""
    better = "higher" if name.startswith(LARGEST) and unit == "count" else CHEAPER.get(unit)
    return Measure(name, unit, better, "readings", over="", logarithmic=True) if better else None


def of_metric(name: str) -> tuple[str, Measure] | None:
    """The split and measure behind a metric; None for any other metric and for measures of plug-ins."""
    split, _, rest = name.partition("_")
    return (split, EVERY[rest]) if split in (TRAIN, VALIDATION, TEST) and rest in EVERY else None
