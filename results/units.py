"""The units a stored value may carry. To add one, add a line here: stores learn it when they are next opened."""

UNITS: dict[str, str] = {
    "1": "plain number",
    "fraction": "share of a whole, 0 to 1",
    "%": "share of a whole, 0 to 100",
    "count": "number of things",
    "steps": "simulation time-steps",
    "epoch": "number of one pass over the training data, the first is 0",
    "epochs": "passes over the training data",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "B": "bytes",
    "MiB": "2^20 bytes",
    "samples/s": "samples per second",
    "updates/s": "updates of the weights per second",
    "GMAC": "10^9 multiply-accumulate operations",
    "op": "arithmetic operations",
    "J": "joules",
}


def unit_of(name: str, unit: str) -> str:
    """The unit of the metric `name` stored with `unit`: older runs call the number of an epoch "epochs"."""
    return "epoch" if unit == "epochs" and name.startswith("epoch_") else unit


# Units of one kind, and how many of each make the same amount.
KINDS: tuple[dict[str, float], ...] = (
    {"fraction": 1.0, "%": 100.0},
    {"s": 1.0, "ms": 1e3, "us": 1e6},
    {"1": 1.0, "": 1.0, "count": 1.0},
)


def convert(value: float, unit: str, into: str) -> float | None:
    """`value` in another unit; None where the two are not of one kind."""
    if unit == into:
        return value
    kind = next((kind for kind in KINDS if unit in kind and into in kind), None)
    return None if kind is None else value * kind[into] / kind[unit]
