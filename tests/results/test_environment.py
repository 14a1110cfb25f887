"""Machine and environment: facts of the right kind, no name of a host, no torch loaded for them."""

import json
import platform
import subprocess
import sys

from results import environment as captured


def test_the_machine_is_json_without_a_host():
    machine = captured.machine()
    assert json.loads(json.dumps(machine)) == machine
    assert machine["cores"] >= 1
    assert machine["memory"] > 2**28
    assert machine["cpu"]
    assert platform.node() not in json.dumps(machine).split('"')
    assert machine == captured.machine()


def test_the_environment_names_versions_and_code(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    environment = captured.environment()
    assert json.loads(json.dumps(environment)) == environment
    assert environment["python"].endswith(platform.python_version())
    import sqlalchemy
    import torch

    assert environment["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert environment["packages"]["sqlalchemy"] == sqlalchemy.__version__
    assert environment["variables"]["OMP_NUM_THREADS"] == "3"
    assert environment["torch_threads"] == torch.get_num_threads()
    revision = environment["revision"]
    assert revision is None or (len(revision) in (40, 64) and environment["modified"] in (True, False))


def test_graphics_cards_are_read_from_nvidia_smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA X, 24 GB, 555.1'\necho 'NVIDIA Y, 555.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    captured._gpus.cache_clear()
    try:
        assert captured.machine()["gpus"] == ["NVIDIA X, 24 GB", "NVIDIA Y"]
        assert captured.environment()["gpu_driver"] == "555.1"
        program.write_text("#!/bin/sh\nexit 9\n")
        captured._gpus.cache_clear()
        assert captured._gpus() == []
    finally:
        captured._gpus.cache_clear()


def test_light_to_import():
    code = (
        "import sys, results; from results.environment import environment, machine; machine(); environment(); "
        "import results.__main__; "
        "print(sorted({'torch', 'sqlalchemy', 'alembic', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_every_public_name_can_be_had():
    import results

    assert {name for name in results.__all__ if getattr(results, name, None) is None} == set()
    assert set(results.__all__) == set(results._HOME)
