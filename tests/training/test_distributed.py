"""The parts of a group that need no second process; two real ones are in tests/bench/test_group.py."""

from __future__ import annotations

import pytest
import torch

from training import distributed


def test_alone_everything_is_as_it_was() -> None:
    value, network = torch.arange(3.0), torch.nn.BatchNorm1d(2)
    assert (distributed.size(), distributed.rank(), distributed.first()) == (1, 0, True)
    assert distributed.total(value) is value
    assert distributed.replica(network) is network
    assert distributed.gather("state") == ["state"]
    assert torch.equal(distributed.share(value), value)
    with distributed.group("cuda"):  # no device is needed where nothing is joined
        assert distributed.size() == 1


def test_the_shares_of_a_batch_are_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "size", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(distributed.share(torch.tensor([5, 3, 1, 0, 2, 4])).tolist())
    assert shares == [[5, 3], [1, 0], [2, 4]]
    with pytest.raises(ValueError, match="A batch of 64 cannot be shared equally by 3 processes"):
        distributed.share(torch.arange(64))


def test_a_device_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started = {"TORCHELASTIC_RUN_ID": "1", "RANK": "2", "LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "4"}
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert not distributed.first()
    with pytest.raises(distributed.DeviceMissing, match="4 processes need as many CUDA devices, 2 found"):
        distributed.group("cuda").__enter__()
