"""Runs to store: one made by hand, and hypothesis strategies for any."""

from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from results.outcomes import OUTCOMES
from results.run import Dataset, Metric, Parity, Picture, Planned, Run, Sample, content_key, new_id
from results.units import UNITS

DIGITS = Dataset("d1" * 32, "digits", True, {"train": 1400, "test": 397}, "")
LAPTOP = {"cpu": "a processor", "cores": 2, "gpus": []}
PYTHON = {"python": "CPython 3.11.7", "packages": {"torch": "2.11.0"}}


def a_run(**changes: Any) -> Run:
    experiment = changes.pop("experiment", {"task": "digits", "neuron": "plif", "lr": 0.01})
    values: dict[str, Any] = {
        "id": new_id(),
        "experiment": experiment,
        "experiment_key": content_key(experiment),
        "implementation": "f00d",
        "outcome": "ok",
        "reason": "",
        "started": "2026-01-02T03:04:05Z",
        "seconds": 12.5,
        "seed": 7,
        "device": "cpu",
        "backend": "torch",
        "command": "python -m bench.reproduce plif_table",
        "peak_memory": 2**40,
        "machine": LAPTOP,
        "environment": PYTHON,
        "datasets": (DIGITS,),
        "metrics": (
            Metric("accuracy_a", 0.1 + 0.2, "fraction"),
            Metric("test_accuracy", 0.25, "fraction", 0),
            Metric("test_accuracy", None, "fraction", 1),
        ),
        "samples": (Sample("step", 0, 1e-3, "s"), Sample("step", 1, None, "s")),
        "pictures": (
            Picture(
                3, 64, 48, "AAEC", (("dog", (1.5, 2, 30, 40), 0.75),), (("dog", (1, 2, 31, 39)), ("cat", (0, 0, 5, 5)))
            ),
        ),
    }
    return Run(**(values | changes))


def a_parity(**changes: Any) -> Parity:
    values: dict[str, Any] = {
        "id": new_id(),
        "started": "2026-01-02T03:04:05Z",
        "neuron": "plif",
        "backend": "fused",
        "step_mode": "m",
        "dtype": "float32",
        "device": "cpu",
        "detach_reset": True,
        "case": "63 steps, 60 channels",
        "flips": 1,
        "first_step": 3,
        "threshold_distance": 1e-9,
        "state_error": 2e-7,
        "grad_error": None,
        "kernel": "plif_forward",
        "green": False,
        "reason": "one spike differs",
        "implementation": "f00d",
        "machine": LAPTOP,
        "environment": PYTHON,
    }
    return Parity(**(values | changes))


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(str.strip)
texts = st.text(max_size=20)  # surrogates and NUL included: they must not stop a run from being recorded
numbers = st.none() | st.floats()
steps = st.integers(0, 2**31 - 1)
units = st.sampled_from(sorted(UNITS))
documents = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    max_size=3,
)
datasets = st.builds(Dataset, names, names, st.booleans(), st.dictionaries(names, steps, max_size=2), texts)
metrics = st.builds(Metric, names, numbers, units, st.none() | steps)
readings = st.builds(Sample, names, steps, numbers, units)
edges = st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 4)
scores = st.floats(0, 1)
pictures = st.builds(
    Picture,
    steps,
    steps,
    steps,
    st.binary(min_size=1, max_size=4).map(lambda content: b64encode(content).decode()),
    st.lists(st.tuples(texts, edges, scores), max_size=2).map(tuple),
    st.lists(st.tuples(texts, edges), max_size=2).map(tuple),
)
moments = st.datetimes(timezones=st.none()).map(lambda moment: f"{moment.isoformat()}Z")


def _unique(items: Any, key: Any) -> Any:
    return st.lists(items, max_size=4, unique_by=key).map(tuple)


@st.composite
def runs(draw: Any) -> Run:
    outcome = draw(st.sampled_from(sorted(OUTCOMES)))
    experiment = draw(documents)
    return a_run(
        id=str(draw(st.uuids())),
        experiment=experiment,
        experiment_key=content_key(experiment),
        outcome=outcome,
        reason=draw(texts.filter(str.strip)) if outcome != "ok" else draw(texts),
        started=draw(moments),
        seconds=draw(st.none() | st.floats(0, 1e9)),
        seed=draw(st.integers(-(2**63), 2**63 - 1)),
        command=draw(texts),
        peak_memory=draw(st.none() | st.integers(0, 2**63 - 1)),
        machine=draw(documents),
        environment=draw(documents),
        datasets=draw(_unique(datasets, lambda dataset: dataset.id)),
        metrics=draw(_unique(metrics, lambda metric: (metric.name, metric.step))),
        samples=draw(_unique(readings, lambda sample: (sample.name, sample.index))),
        pictures=draw(_unique(pictures, lambda picture: picture.index)),
        kernels=draw(documents),
    )


@st.composite
def parities(draw: Any) -> Parity:
    return a_parity(
        id=str(draw(st.uuids())), machine=draw(documents), threshold_distance=draw(numbers), case=draw(names)
    )


plans = st.builds(Planned, names, names, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(tuple), moments)
