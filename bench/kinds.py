"""What a worker does with an experiment, by its kind: functions of a request (`bench.job`), of what sends messages to
the parent (`bench.worker.main`) and of the clock of the process; they return a `bench.job.Result`.

The parts that an experiment names, and the module here, are the code behind its result. A kind that has no network, no
neuron or no scheme leaves these fields empty.
"""

from core.registry import Registry

TRAINING = "training"
registry = Registry(
    "kind of experiment",
    {
        TRAINING: "bench.worker:train",
        "detections": "bench.detections:evaluate",
        "memory": "bench.memory:measure",
        "rates": "bench.rates:measure",
        "table": "bench.errand:carry_out",
        "timing": "bench.timing:measure",
    },
)
