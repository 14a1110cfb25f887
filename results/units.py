"""The units a stored value may carry. To add one, add a line here: stores learn it when they are next opened."""

UNITS: dict[str, str] = {
    "1": "plain number",
    "fraction": "share of a whole, 0 to 1",
    "%": "share of a whole, 0 to 100",
    "count": "number of things",
    "steps": "simulation time-steps",
    "epochs": "passes over the training data, the first is 0 where it names one",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "B": "bytes",
    "samples/s": "samples per second",
    "GMAC": "10^9 multiply-accumulate operations",
    "op": "arithmetic operations",
    "J": "joules",
}
