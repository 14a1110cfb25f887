"""Training schemes, losses, the loop and its checkpoints."""

from core.registry import Registry

registry = Registry("training scheme", {"bptt": "training.bptt:BPTT"}, group="spikebench.schemes")
