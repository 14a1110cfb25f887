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
    "GMAC": "10^9 multiply-accumulate operations",
    "op": "arithmetic operations",
    "J": "joules",
}


def unit_of(name: str, unit: str) -> str:
    """The unit of the metric `name` stored with `unit`: older runs call the number of an epoch "epochs"."""
    return "epoch" if unit == "epochs" and name.startswith("epoch_") else unit
