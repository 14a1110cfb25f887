"""The public face of the tasks room."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import tasks
from core.registry import UnknownName
from tasks import DataMissing, TaskError

EMBEDDED = {
    "digits", "digits_events", "digits_recall", "plain_digits", "shuffled_digits", "adding", "randman", "shapes",
    "motion_events", "noisy_current",
}  # fmt: skip
NEEDS_DATA = {
    "mnist", "fashion_mnist", "plain_mnist", "plain_fashion_mnist", "cifar10", "cifar100", "imagenet", "nmnist",
    "cifar10dvs", "dvs128gesture", "dvsgesture10", "dvsplane", "shd", "ntidigits", "fsdd", "voc2007", "voc2012",
    "voc2007_detections",
    "shuffled_mnist", "shuffled_fashion_mnist", "shuffled_cifar10", "shuffled_cifar100",
}  # fmt: skip


def test_names() -> None:
    assert set(tasks.names()) == EMBEDDED | NEEDS_DATA


@pytest.mark.parametrize("name", sorted(EMBEDDED | NEEDS_DATA))
def test_the_module_of_a_task_exists(name: str) -> None:
    assert tasks.module(name).startswith("tasks.")
    import_module(tasks.module(name))


@pytest.mark.parametrize("ask", [tasks.load, tasks.module, tasks.available])
def test_an_unknown_name_gets_a_suggestion(ask) -> None:
    with pytest.raises(UnknownName, match=r"Unknown task 'digit'. Did you mean 'digits'.*\? Known: digits, "):
        ask("digit")


def test_an_unknown_option_gets_a_suggestion() -> None:
    with pytest.raises(TaskError, match=r"Unknown option of task 'digits' 'validate'. Did you mean 'validation'\?"):
        tasks.load("digits", validate=0.15)


def test_asking_what_there_is_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    program = (
        "import sys, tasks\n"
        f"for name in tasks.names(): tasks.available(name, {str(tmp_path)!r}); tasks.module(name)\n"
        "print([m for m in ('torch', 'numpy', 'h5py', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(EMBEDDED))
def test_embedded_tasks_need_no_root(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIKEBENCH_DATA", raising=False)
    assert tasks.available(name) is None


@pytest.mark.parametrize("name", sorted(NEEDS_DATA))
def test_missing_data_is_one_sentence_and_the_same_for_the_plan_and_the_run(name: str, tmp_path: Path) -> None:
    sentence = tasks.available(name, tmp_path)
    assert sentence is not None
    assert sentence.count("\n") == 0
    assert str(tmp_path) in sentence
    assert "published at http" in sentence
    with pytest.raises(DataMissing) as raised:
        tasks.load(name, root=tmp_path)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("name", sorted(NEEDS_DATA))
def test_a_root_that_is_not_named_or_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIKEBENCH_DATA", raising=False)
    assert "no data root is named" in (tasks.available(name) or "")
    monkeypatch.setenv("SPIKEBENCH_DATA", str(tmp_path / "gone"))
    assert f"the data root {tmp_path / 'gone'} is not a folder" in (tasks.available(name) or "")


@pytest.mark.parametrize("name", sorted(NEEDS_DATA))
def test_a_root_that_the_system_refuses_is_a_sentence_for_the_plan_and_the_run(name: str) -> None:
    root = "/" + "a" * 5000  # longer than a name may be
    with pytest.raises(TaskError, match=f"The data of {name} cannot be read: .*File name too long") as raised:
        tasks.load(name, root=root)
    assert tasks.available(name, root) == str(raised.value)
