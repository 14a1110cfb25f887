"""Fixtures for every room."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

# Before torch reads it: three processes share the cores, and so does what they start.
os.environ["OMP_NUM_THREADS"] = "1"

import torch

from neurons.backends.fused import pool

torch.set_num_threads(1)  # whatever the machine; a test of threads sets its own number

# A deadline is of the clock, and others run meanwhile; half of the usual examples, for all run at each push.
settings.register_profile("shared machine", deadline=None, max_examples=50)
settings.load_profile("shared machine")

# Of the processes that run the tests, one has all that ask for such a fixture: it is built once.
GROUPS = {"built": "site", "new_url": "postgresql", "postgres_port": "postgresql"}
LONG = ("faults", "walks", "compilers")  # CI runs these by themselves, for their time, and each as soon as it can
APART = " and ".join(f"not {mark}" for mark in LONG)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Without files or marks of its own a command runs what is not kept apart."""
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.markexpr:
        config.option.markexpr = APART


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        groups = {GROUPS[name] for name in fixtures if name in GROUPS}
        if "environment" in fixtures and not any(map(item.get_closest_marker, LONG)):
            groups.add(item.path.stem)  # a file's commands go one by one, those of two files side by side
        for group in sorted(groups)[:1]:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.collect()
    gc.freeze()  # PyTorch and thousands of tests stay: looking through them costs more than most tests
    if getattr(session.config.option, "loadgroup", False):
        apart = [
            item.nodeid for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
        ]
        if apart:
            raise pytest.UsageError(
                f"This pytest and this pytest-xdist leave groups apart, such as that of {apart[0]}."
            )


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.default_generator.manual_seed(
        0
    )  # torch.manual_seed keeps a traceback for CUDA, which costs more than many a test
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


@pytest.fixture(autouse=True)
def _leaves_switches_alone() -> Iterator[None]:
    """A switch of the whole process that a test leaves turned decides what later tests run."""
    before = _switches()
    yield
    assert _switches() == before


def _switches() -> dict[str, object]:
    return {
        "threads": torch.get_num_threads(),
        "pool": pool.enabled(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


@pytest.fixture
def hears_ctrl_c() -> Callable[[], None]:
    """For subprocess.Popen(preexec_fn=...): a background job of a shell ignores SIGINT, and so would its children."""

    def restore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return restore
