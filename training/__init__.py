"""Training schemes and their parts, the loop and its checkpoints.

A scheme is named with its options; a part that has options of its own is given as {"name": NAME, OPTION: VALUE, ...}.
"""

from core.registry import Registry

registry = Registry(
    "training scheme",
    {"bptt": "training.bptt:BPTT", "fptt": "training.fptt:FPTT", "ttfs": "training.ttfs:TTFS"},
    group="spikebench.schemes",
)
LOSSES = Registry(
    "loss",
    {
        "rate_mse": "training.losses:rate_mse",
        "cross_entropy": "training.losses:cross_entropy",
        "last_cross_entropy": "training.last_step:last_cross_entropy",
        "last_mse": "training.last_step:last_mse",
        "earliest_cross_entropy": "training.earliest:earliest_cross_entropy",
        "tet": "training.losses:tet",
        "yolo": "training.yolo_loss:yolo_loss",
        "first_spike": "training.first_spike:first_spike_loss",
        "firing_rate": "training.first_spike:firing_rate_loss",
    },
    group="spikebench.losses",
)
DECISIONS = Registry(
    "decision",
    {
        "rate": "training.decisions:rate",
        "last": "training.last_step:last",
        "last_value": "training.last_step:last_value",
        "yolo": "training.yolo_decision:yolo_decision",
        "first_spike": "training.first_spike:first_spike",
        "firing_rate": "training.first_spike:firing_rate",
        "earliest": "training.earliest:earliest",
    },
    group="spikebench.decisions",
)
OPTIMIZERS = Registry(
    "optimizer",
    {
        "adam": "training.optimizers:adam",
        "adam_then_decay": "training.decay_after:adam_then_decay",
        "adamax": "training.optimizers:adamax",
        "adamw": "training.optimizers:adamw",
        "sgd": "training.optimizers:sgd",
        "sgd_then_decay": "training.decay_after:sgd_then_decay",
    },
    group="spikebench.optimizers",
)
SCHEDULES = Registry(
    "schedule",
    {
        "constant": "training.schedules:constant",
        "periodic": "training.schedules:periodic",
        "once": "training.schedules:once",
        "milestones": "training.schedules:milestones",
        "exponential": "training.exponential:exponential",
    },
    group="spikebench.schedules",
)
CONSTRAINTS = Registry(
    "constraint",
    {
        "decays": "training.decays:decays",
        "fixed_signs": "training.constraints:fixed_signs",
        "weight_range": "training.constraints:weight_range",
    },
    group="spikebench.constraints",
)
PARTS = (LOSSES, DECISIONS, OPTIMIZERS, SCHEDULES, CONSTRAINTS)  # what the options of a scheme may name
