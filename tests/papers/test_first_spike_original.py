"""Configuration files and arguments of the released first-spike code."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.reproduce import apart
from core.errors import UsageError
from core.registry import UnknownName
from papers import registry
from papers.experiment import Experiment
from papers.first_spike.original import table

README = [
    word
    for line in (
        "--log-interval 5 --lr 1e-3 --batch-size 128 --test-batch-size 256 --epochs 80 --loss_mode first_time --T 100",
        "--T_empty 0 --dt 10 --hidden_size 256 256 --FS 0.2 16 200 --neuron1 5. 5. 0.5 --neuron2 60. 60. 10",
        "--treg 0.01 0.02",
    )
    for word in line.split()
]
ADLIF = """
dataset: {name: shd, path_to_dataset: ../datasets, num_classes: 20, input_size: 700}
learning: {batch_size: 128, lr: 1e-3, lr_decay: False, weight_decay: 0.0001, epochs: 80, clip_norm: 10}
network: {neuron_type: adlif, hidden_size: [256 256]}
simulation: {dt: 10, T: 100, T_empty: 0}
neuron_params1: {tau_m: 5, tau_s: 5., theta: 0.5}
neuron_params2: {tau_m: 60., tau_s: 60., theta: 10.}
loss:
  loss_mode: first_time
  FS: {alpha: 0.2, D: 16, A: 200}
  FR: {alpha: 20}
  treg: {lambda: 0.01, beta: 0.02}
"""
CULIF = ADLIF.replace("adlif, hidden_size: [256 256]", "culif, hidden_size: 256").replace(
    "T: 100, T_empty: 0", "T: 80, T_empty: 20"
)


def file(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "one.yaml"
    path.write_text(text)
    return ["--path_to_yaml", str(path)]


def keys(words: list[str]) -> list[str]:
    made, _ = table(words, "paper")
    return [experiment.key for experiment in made.experiments("paper", [0])]


def of_table(*rows: str, column: str = "SHD") -> list[Experiment]:
    cells = registry.get("fs_table").cells("paper")
    return [next(c.experiment for c in cells if (c.row, c.column) == (row, column)) for row in rows]


def said(words: list[str]) -> str:
    return "\n".join(table(words, "paper")[1])


def test_the_example_of_the_readme_is_the_row_of_the_table(tmp_path: Path) -> None:
    expected = [made.key for made in of_table("AdLIF, FS", "AdLIF, FS corrected")]
    assert keys(README) == keys([*file(tmp_path, ADLIF), *README]) == keys(file(tmp_path, ADLIF)) == expected
    by_rate = [made.key for made in of_table("AdLIF, FR", "AdLIF, FR corrected")]
    assert keys([*README, "--loss_mode", "firing_rate", "--FR", "20"]) == by_rate


def test_the_traps_are_named(tmp_path: Path) -> None:
    told = said([*file(tmp_path, ADLIF), *README])
    for trap in (
        "'1e-3' is a text to YAML 1.1",
        "['256 256'], at which",
        "tau_m of one.yaml: 5 is no float",
        "never clears",
    ):
        assert trap in told
    told = said([*file(tmp_path, CULIF), "--T_empty", "0"])
    assert "--T_empty 0 is taken; the released code would ignore the zero and use 20" in told
    clipped = file(tmp_path, ADLIF.replace("clip_norm: 10", "clip_norm: 5"))
    assert "clip_norm 5 of the file is used" in said(clipped)
    assert "clip_norm 5" not in said([*clipped, "--clip_norm", "7"])
    told = said(file(tmp_path, ADLIF.replace("T_empty: 0", "T_empty: 0, input_T: 7")))
    assert "input_T 7 has no effect: T and T_empty together are 100 steps" in told


def test_what_is_asked_for_is_what_is_trained(tmp_path: Path) -> None:
    made, _ = table([*file(tmp_path, CULIF), "--neuron1", "4", "6", "5", "--FS", "0.3", "--lr_decay", "True"], "paper")
    one = made.cells("paper")[0].experiment
    assert (one.model, one.neuron, one.model_options["hidden"]) == ("fs_recurrent", "pculif", [256])
    assert (one.task_options, one.model_options["T"], one.model_options["empty"]) == ({"T": 80, "dt": 10}, 80, 20)
    assert {one.neuron_options[name] for name in ("tau_m", "tau_s", "v_threshold")} == {4.0, 6.0, 5.0}
    loss = one.scheme_options["loss"]
    assert (loss["alpha"], loss["D"], loss["A"]) == (0.3, 16, 200.0)
    assert one.scheme_options["schedule"] == {"name": "periodic", "T_max": 128}


def test_epochs_that_are_asked_for_are_trained_at_short_scale_too() -> None:
    def epochs(*words: str) -> set[int]:
        made, _ = table(list(words), "short")
        return {cell.experiment.epochs for cell in made.cells("short")}

    assert epochs("--epochs", "7") == {7}
    assert epochs("--T", "100") == {4}


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["--FSS", "1"], UnknownName, "Unknown argument '--FSS'. Did you mean '--FS'"),
        (["--FS", "1", "2", "3", "4"], UsageError, "--FS takes 1 to 3 values (alpha, D, A), 4 were given"),
        (["--neuron1", "5", "5"], UsageError, "--neuron1 takes 3 values"),
        (["--neuron1", "5", "5", "x"], UsageError, "--neuron1 was given 'x'"),
        (["--T", "1.5"], UsageError, "--T was given '1.5'"),
        (["--load_pt_file", "a.pt"], UsageError, "--load_pt_file cannot be followed"),
        (["--dataset_name", "dvsgesture", "--hidden_size", "9"], UsageError, "hidden_size cannot be chosen for DVS"),
        (["--dataset_name", "cifar"], UnknownName, "Unknown data set of the work 'cifar'"),
        (["--epochs", "0"], UsageError, "--epochs was given '0'; it takes a whole number from 1"),
        (["--epochs", "1e30"], UsageError, "--epochs was given '1e30'"),
        (["--T", "32768"], UsageError, "--T was given '32768'; it takes a whole number from 1 to 32,767"),
        (["--T", "-5"], UsageError, "--T was given '-5'"),
        (["--T_empty", "-5"], UsageError, "--T_empty was given '-5'; it takes a whole number from 0"),
        (["--lr", "nan"], UsageError, "--lr was given 'nan'; it takes a positive number"),
        (["--lr", "inf"], UsageError, "--lr was given 'inf'"),
        (["--dt", "nan"], UsageError, "--dt was given 'nan'"),
        (["--dt", "0"], UsageError, "--dt was given '0'"),
        (["--hidden_size", "0"], UsageError, "--hidden_size was given [0]; it takes whole numbers from 1"),
        (["--batch-size", "0"], UsageError, "--batch-size was given '0'"),
        (["--clip_norm", "-1"], UsageError, "--clip_norm was given '-1'; it takes a positive number"),
        (["--neuron1", "1", "5", "0.5"], UsageError, "tau_m of an AdLIF neuron must be greater than 1"),
        (["--neuron2", "0", "5", "nan"], UsageError, "--neuron2 was given '0'"),
        (["--FS", "0.2", "0"], UsageError, "--FS was given '0'"),
        (["--FS", "0.2", "101"], UsageError, "D=101 is more than its 100 steps"),
        (["--dataset_name", "dvsplane", "--num_classes", "9"], UsageError, "num_classes is 9, and DVS Planes has 4"),
        (["--num_classes", "10"], UsageError, "num_classes is 10, and SHD has 20"),
        (["--path_to_yaml", "nowhere.yaml"], UsageError, "nowhere.yaml cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as told:
        table(words, "paper")
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("theta: 0.5", "theta: 0.5, tau_x: 1"), "Unknown field of neuron_params1 in one.yaml 'tau_x'"),
        (("dataset:", "data:"), "Unknown section of one.yaml 'data'"),
        (("FS: {alpha", "FS: {alfa"), "Unknown field of loss.FS in one.yaml 'alfa'"),
        (("T: 100", "T: ten"), "simulation.T of one.yaml was given 'ten'"),
        (("dataset: {", "dataset: [{"), "is no YAML"),
        (("epochs: 80", "epochs: 1" + "0" * 5000), "is no YAML: Exceeds the limit"),
        (("epochs: 80", "epochs: " + "[" * 20_000), "is no YAML: maximum recursion depth"),
        (("theta: 10.", "theta: .nan"), "neuron_params2.theta of one.yaml was given nan; it takes a finite number"),
    ],
)
def test_unknown_fields_are_refused_by_name(tmp_path: Path, changed: tuple[str, str], message: str) -> None:
    with pytest.raises((UsageError, UnknownName)) as told:
        table(file(tmp_path, ADLIF.replace(*changed)), "paper")
    assert message in str(told.value)


def test_words_are_told_apart() -> None:
    own = {"--scale", "--plan", "--only"}
    args = ["fs_table", "--FS", "0.2", "-1", "--plan", "--T=5", "--scale", "paper", "--lr", "1e-3"]
    assert apart(args, own) == (
        ["fs_table", "--plan", "--scale", "paper"],
        ["--FS", "0.2", "-1", "--T=5", "--lr", "1e-3"],
    )


def test_a_misspelt_option_is_named_at_any_scale() -> None:
    for scale in ("quick", "paper"):
        with pytest.raises(UnknownName, match="Unknown argument '--seds'"):
            table(["--seds", "5"], scale)


def test_quick_scale_has_settings_of_its_own() -> None:
    with pytest.raises(UsageError, match="give --scale short or paper"):
        table(README, "quick")


def test_aliases_that_stand_for_gigabytes_are_told_shortly(tmp_path: Path) -> None:
    levels = [f"&a{level} [{', '.join([f'*a{level - 1}'] * 8)}]" for level in range(1, 12)]
    bomb = ADLIF.replace("lr: 1e-3", f"lr: [&a0 [1, 1], {', '.join(levels)}]")
    with pytest.raises(UsageError, match=r"learning\.lr of one\.yaml was given \[\[1, 1\], ") as raised:
        table(file(tmp_path, bomb), "paper")
    assert len(str(raised.value)) < 10**5
