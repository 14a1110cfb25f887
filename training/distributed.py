"""One training in several processes, one for each device, as torchrun starts them (docs/distributed.md).

Every process holds the whole network and works on its share of each batch; gradients are averaged. Outside a group
every function here gives back what it was given, so that the code around it is the same for one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

# A process that fails ends its group through torchrun; waiting for one that is slow to load its data is no failure.
PATIENCE = timedelta(days=1)


# The last to let go of a group ends its threads. A replica would do so under Python's lock, which such a thread may
# wait for (seen with PyTorch 2.11 and gloo): neither of them, nor the process, would ever end.
_kept: list[Any] = []


class DeviceMissing(RuntimeError):
    """There are fewer devices than processes."""


@contextmanager
def group(device: str) -> Iterator[None]:
    """Joins the group of processes that torchrun started this one in, if it did; on "cuda" each takes its own device.

    Raises DeviceMissing. After an error the group is left to torchrun: the other processes may wait in a collective.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    if device == "cuda":
        number, found = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if number >= found:
            asked = os.environ["LOCAL_WORLD_SIZE"]
            raise DeviceMissing(f"{asked} processes need as many CUDA devices, {found} found; use --processes {found}")
        torch.cuda.set_device(number)
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    _kept.append(dist.group.WORLD)
    yield
    dist.destroy_process_group()


def first() -> bool:
    """Whether this is process 0, or the only one; known before the group is joined."""
    return not dist.is_torchelastic_launched() or os.environ["RANK"] == "0"


def size() -> int:
    """Number of processes."""
    return dist.get_world_size() if _joined() else 1


def rank() -> int:
    """Number of this process, from 0, the one that reports and saves."""
    return dist.get_rank() if _joined() else 0


def replica(network: nn.Module) -> nn.Module:
    """`network` for training: its forward and backward average the gradients over all processes.

    Parameters and buffers begin as those of process 0. Batch norm takes its statistics over the share of its own
    process, as in the released code; the running statistics are those of process 0.
    """
    return nn.parallel.DistributedDataParallel(network, gradient_as_bucket_view=True) if _joined() else network


def share(batch: Tensor) -> Tensor:
    """This process's part of the indices `batch`. Raises ValueError where they cannot be shared equally."""
    if len(batch) % size():
        raise ValueError(
            f"A batch of {len(batch)} cannot be shared equally by {size()} processes; "
            "choose a number of processes that divides it."
        )
    return batch.chunk(size())[rank()]


def total(value: Tensor) -> Tensor:
    """The sum of `value` over all processes."""
    if not _joined():
        return value
    # a copy: the caller's tensor stays, on a device that the backend can use
    summed = value.to("cuda" if dist.get_backend() == "nccl" else "cpu", copy=True)
    dist.all_reduce(summed)
    return summed


def gather(value: Any) -> list[Any]:
    """The `value` of every process, in their order."""
    values = [value] * size()
    if _joined():
        dist.all_gather_object(values, value)
    return values


def align_buffers(network: nn.Module) -> None:
    """Gives every process the buffers of process 0, such as the running statistics of batch norm."""
    if _joined():
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()
