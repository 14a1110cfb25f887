"""The configuration files and arguments of the released code, read as they are, with its traps corrected and named.

Files have the sections and fields of FIELDS, arguments are those of its train.py and test.py. As there, an argument
counts more than the file. What is corrected is said in sentences (spec: first_spike 4 and 6).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

from core.errors import UsageError
from core.registry import unknown

from ..experiment import Experiment
from ..protocols import Protocol
from ..table import Cell, Table
from .arms import ADLIF, CULIF, FR, FS, GESTURE, NTIDIGITS, PLANES, SHD, Arm, Data, experiment
from .behaviour import CORRECTED, RELEASED
from .protocols import READINGS, protocol
from .table import ACCURACIES, FS_TABLE

COLUMNS = {
    "shd": SHD,
    "ntidigits": NTIDIGITS,
    "n-tidigits": NTIDIGITS,
    "dvsgesture": GESTURE,
    "dvsplane": PLANES,
}
CODINGS = {"first_time": FS, "firing_rate": FR}
CLASSES = {GESTURE.name: 10, PLANES.name: 4}  # those of convolutional networks, which have no option for them
CLIP, COSINE = 10.0, 128


def _said(value: object) -> str:
    """The value as it was written; a few aliases of YAML in lists stand for gigabytes, so those are none."""
    if isinstance(value, list | dict | set | tuple):
        raise ValueError
    return str(value)


def _number(value: object) -> float:
    number = float(_said(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(value: object) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _truth(value: object) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "none": False}
    return known[_said(value).casefold()]


def _sizes(value: object) -> list[int]:
    """[256, 256], and what the released files say: [256 256], 256 256 or 256."""
    entries = value if isinstance(value, list) else [value]
    found = [_whole(part) for entry in entries for part in _said(entry).replace(",", " ").split()]
    if not found:
        raise ValueError
    return found


MOST = 10**9  # of what is counted; beyond it the numbers of a machine end
MOST_STEPS = 2**15 - 1  # the step of an event is kept in 16 bits


class Kind(NamedTuple):
    """How a value is read, which ones fit, and how that is said."""

    read: Callable[[object], Any]
    says: str
    fits: Callable[[Any], bool] = lambda value: True


TEXT = Kind(_text, "a text")
TRUTH = Kind(_truth, "true or false")
COUNT = Kind(_whole, f"a whole number from 1 to {MOST:,}", lambda value: 1 <= value <= MOST)
SOME = Kind(_whole, f"a whole number from 0 to {MOST:,}", lambda value: 0 <= value <= MOST)
STEPS = Kind(_whole, f"a whole number from 1 to {MOST_STEPS:,}", lambda value: 1 <= value <= MOST_STEPS)
SIZES = Kind(_sizes, f"whole numbers from 1 to {MOST:,}", lambda value: all(1 <= size <= MOST for size in value))
NUMBER = Kind(_number, "a finite number")
POSITIVE = Kind(_number, "a positive number", lambda value: value > 0)
NOT_NEGATIVE = Kind(_number, "a number of at least 0", lambda value: value >= 0)
FIELDS: dict[str, dict[str, Kind]] = {
    "dataset": {"name": TEXT, "path_to_dataset": TEXT, "num_classes": COUNT, "input_size": SIZES},
    "learning": {
        "batch_size": COUNT, "lr": POSITIVE, "lr_decay": TRUTH, "weight_decay": NOT_NEGATIVE, "epochs": COUNT,
        "clip_norm": POSITIVE,
    },
    "network": {"neuron_type": TEXT, "hidden_size": SIZES},
    "simulation": {"dt": POSITIVE, "T": STEPS, "T_empty": SOME, "input_T": COUNT},
    "neuron_params1": {"tau_m": POSITIVE, "tau_s": POSITIVE, "theta": NUMBER},
    "neuron_params2": {"tau_m": POSITIVE, "tau_s": POSITIVE, "theta": NUMBER},
    "loss": {"loss_mode": TEXT},
    "loss.FS": {"alpha": NUMBER, "D": COUNT, "A": NUMBER},
    "loss.FR": {"alpha": NUMBER},
    "loss.treg": {"lambda": NOT_NEGATIVE, "beta": NUMBER},
}  # fmt: skip
NEURON = ("tau_m", "tau_s", "theta")
# By argument: its section, its fields in order, and how many of them must be given.
FLAGS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "--path_to_dataset": ("dataset", ("path_to_dataset",), 1),
    "--dataset_name": ("dataset", ("name",), 1),
    "--num_classes": ("dataset", ("num_classes",), 1),
    "--dt": ("simulation", ("dt",), 1),
    "--T": ("simulation", ("T",), 1),
    "--T_empty": ("simulation", ("T_empty",), 1),
    "--neuron1": ("neuron_params1", NEURON, 3),
    "--neuron2": ("neuron_params2", NEURON, 3),
    "--loss_mode": ("loss", ("loss_mode",), 1),
    "--FS": ("loss.FS", ("alpha", "D", "A"), 1),
    "--FR": ("loss.FR", ("alpha",), 1),
    "--treg": ("loss.treg", ("lambda", "beta"), 2),
    "--batch-size": ("learning", ("batch_size",), 1),
    "--epochs": ("learning", ("epochs",), 1),
    "--lr": ("learning", ("lr",), 1),
    "--weight_decay": ("learning", ("weight_decay",), 1),
    "--lr_decay": ("learning", ("lr_decay",), 1),
    "--clip_norm": ("learning", ("clip_norm",), 1),
}
FILE, HIDDEN = "--path_to_yaml", "--hidden_size"
WITHOUT_EFFECT = {
    "--seed": "seeds are counted by --seeds",
    "--distributed": "processes are counted by --processes",
    "--test-batch-size": "no measure depends on it",
    "--log-interval": "each epoch is told",
    "--save_name": "--out says where results go",
    "--add_name": "--out says where results go",
    "--best_model": "the table says which epoch counts",
    "--test_single_delay": "delays are in fs_latency",
    "--show": "rasters are on the page of a run",
}
REFUSED = {"--load_pt_file": "the release has no trained models, and a run here is continued by the same command"}

Values = dict[str, dict[str, Any]]  # by section and field


@dataclass
class Asked:
    """What was asked for: fields by section, and `corrected`, a sentence for each trap."""

    values: Values = field(default_factory=dict)
    corrected: list[str] = field(default_factory=list)

    def get(self, section: str, name: str, otherwise: Any) -> Any:
        """The field, or what holds where it was not given."""
        return self.values.get(section, {}).get(name, otherwise)


def of_file(path: Path) -> Asked:
    """A configuration file. UsageError, or UnknownName for a section or field that the released code does not have."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"The configuration file {path} cannot be read: {problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # too long a number, too many brackets
        raise UsageError(f"The configuration file {path} is no YAML: {' '.join(str(problem).split())}.") from None
    if not isinstance(content, dict):
        raise UsageError(f"The configuration file {path} holds no sections; known: {', '.join(_sections())}.")
    asked = Asked()
    for section, fields in content.items():
        if section not in _sections():
            raise unknown(f"section of {path.name}", section, _sections())
        _section(asked, path.name, str(section), fields)
    return asked


def _sections() -> list[str]:
    return [section for section in FIELDS if "." not in section]


def _section(asked: Asked, file: str, section: str, fields: object) -> None:
    if not isinstance(fields, dict):
        raise UsageError(f"The section {section} of {file} holds no fields; known: {', '.join(FIELDS[section])}.")
    below = [name.partition(".")[2] for name in FIELDS if name.startswith(f"{section}.")]
    for name, value in fields.items():
        if name in below:
            _section(asked, file, f"{section}.{name}", value)
        elif name not in FIELDS[section]:
            raise unknown(f"field of {section} in {file}", name, [*FIELDS[section], *below])
        else:
            _put(asked, section, str(name), value, f"{section}.{name} of {file}")


def _put(asked: Asked, section: str, name: str, value: object, where: str) -> None:
    kind = FIELDS[section][name]
    try:
        read = kind.read(value)
        if not kind.fits(read):
            raise ValueError
    except (ValueError, KeyError):
        raise UsageError(f"{where} was given {short(value)}; it takes {kind.says}.") from None
    if name in ("lr", "weight_decay") and isinstance(value, str) and "of " in where:
        asked.corrected.append(f"{where}: {value!r} is a text to YAML 1.1 and is read as {read:g} here.")
    if name == "hidden_size" and not (isinstance(value, list) and all(isinstance(size, int) for size in value)):
        asked.corrected.append(f"{where}: {short(value)}, at which the released code fails, is read as {read}.")
    if name in NEURON and isinstance(value, int):
        asked.corrected.append(f"{where}: {value!r} is no float, at which the released code fails; it is read as one.")
    asked.values.setdefault(section, {})[name] = read


def of_words(words: Sequence[str]) -> Asked:
    """Arguments of the released code, with the configuration file that they name. UsageError, UnknownName."""
    given = _grouped(words)
    path = given.pop(FILE, None)
    if path is not None and len(path) != 1:
        raise UsageError(f"{FILE} takes one file, {len(path)} were given.")
    asked = of_file(Path(path[0])) if path else Asked()
    if "--clip_norm" not in given and (clip := asked.get("learning", "clip_norm", CLIP)) != CLIP:
        asked.corrected.append(f"clip_norm {clip:g} of the file is used; the released code always takes its argument.")
    for flag, values in given.items():
        if flag in REFUSED:
            raise UsageError(f"{flag} cannot be followed: {REFUSED[flag]}.")
        if flag in WITHOUT_EFFECT:
            asked.corrected.append(f"{flag} has no effect here: {WITHOUT_EFFECT[flag]}.")
            continue
        if flag == HIDDEN:
            _put(asked, "network", "hidden_size", [_integer(flag, value) for value in values], flag)
            continue
        if flag not in FLAGS:
            raise unknown("argument", flag, [FILE, HIDDEN, *FLAGS, *WITHOUT_EFFECT])
        section, names, least = FLAGS[flag]
        if not least <= len(values) <= len(names):
            told = str(least) if least == len(names) else f"{least} to {len(names)}"
            raise UsageError(f"{flag} takes {told} values ({', '.join(names)}), {len(values)} were given.")
        for name, value in zip(names, values, strict=False):
            before = asked.get(section, name, None)
            _put(asked, section, name, value, flag)
            now = asked.values[section][name]
            if now == 0 and before not in (None, now):
                asked.corrected.append(f"{flag} 0 is taken; the released code would ignore the zero and use {before}.")
    return asked


def _integer(flag: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"{flag} was given {value!r}; it takes whole numbers.") from None


def _grouped(words: Sequence[str]) -> dict[str, list[str]]:
    """The values of each argument."""
    found: dict[str, list[str]] = {}
    flag = ""
    for word in words:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            found[flag] = [value] if equals else []  # of an argument that comes twice the last counts
        elif flag:
            found[flag].append(word)
        else:
            raise UsageError(f"{word!r} belongs to no argument.")
    return found


def row_and_column(asked: Asked) -> tuple[Arm, Data]:
    """The row and the column that were asked for, changed as asked. UsageError where there is no such network here."""
    name = asked.get("dataset", "name", "shd")
    if name.casefold() not in COLUMNS:
        raise unknown("data set of the work", name, COLUMNS)
    data = COLUMNS[name.casefold()]
    kind = asked.get("network", "neuron_type", "adlif" if ADLIF in data.networks else "culif")
    network = {"adlif": ADLIF, "culif": CULIF}.get(kind.casefold())
    if network is None or network not in data.networks:
        raise unknown(f"neuron_type of {data.name}", kind, [known.lower() for known in data.networks])
    mode = asked.get("loss", "loss_mode", "first_time")
    if mode not in CODINGS:
        raise unknown("loss_mode", mode, CODINGS)
    made = data.networks[network]
    _agreeing(asked, data, made.options)
    options = dict(made.options)
    if (hidden := asked.get("network", "hidden_size", None)) is not None:
        if "hidden" not in options:
            raise UsageError(f"hidden_size cannot be chosen for {data.name}, whose network is convolutional.")
        options["hidden"] = hidden
    hidden_neuron, output = (
        tuple(asked.get(f"neuron_params{number}", part, default) for part, default in zip(NEURON, of, strict=True))
        for number, of in ((1, made.hidden), (2, made.output))
    )
    changed = dataclasses.replace(
        made,
        hidden=hidden_neuron,
        output=output,
        options=options,
        empty=asked.get("simulation", "T_empty", made.empty),
    )
    T, dt = asked.get("simulation", "T", data.T), asked.get("simulation", "dt", data.task_options["dt"])
    if (steps := asked.get("simulation", "input_T", None)) not in (None, total := T + changed.empty):
        asked.corrected.append(f"input_T {steps} has no effect: T and T_empty together are {total} steps.")
    column = dataclasses.replace(
        data,
        T=T,
        task_options={"T": T, "dt": int(dt) if dt == int(dt) else dt},
        networks={network: changed},
        batch_size=asked.get("learning", "batch_size", data.batch_size),
        lr=asked.get("learning", "lr", data.lr),
        epochs=asked.get("learning", "epochs", data.epochs),
        fs=tuple(asked.get("loss.FS", part, own) for part, own in zip(("alpha", "D", "A"), data.fs, strict=True)),
        fr=asked.get("loss.FR", "alpha", data.fr),
    )
    return Arm(network, CODINGS[mode]), column


def _agreeing(asked: Asked, data: Data, options: Mapping[str, Any]) -> None:
    """UsageError where the file describes other data than the set has."""
    known = options.get("classes", CLASSES.get(data.name))
    if (classes := asked.get("dataset", "num_classes", known)) != known:
        raise UsageError(f"num_classes is {classes}, and {data.name} has {known}.")
    if "inputs" in options and (size := asked.get("dataset", "input_size", [options["inputs"]])) != [options["inputs"]]:
        raise UsageError(f"input_size is {size}, and {data.name} has {options['inputs']} channels.")
    if asked.get("dataset", "path_to_dataset", None) is not None:
        asked.corrected.append("path_to_dataset has no effect here: --data names the folder of all data sets.")


def training(asked: Asked, arm: Arm, data: Data, scale: str) -> Experiment:
    """The training with seed 0, equal to that of the table where nothing was changed."""
    made = experiment(arm, data, scale)
    options = dict(made.scheme_options)
    decay = asked.get("learning", "weight_decay", options["optimizer"]["weight_decay"])
    options["optimizer"] = {**options["optimizer"], "weight_decay": decay}
    options["clip"] = asked.get("learning", "clip_norm", options["clip"])
    if asked.get("learning", "lr_decay", False):
        options["schedule"] = {"name": "periodic", "T_max": COSINE}
    if arm.coding == FS:
        penalty = {f"treg_{part}": value for part, value in asked.values.get("loss.treg", {}).items()}
        options["loss"] = {**options["loss"], **penalty}
    epochs = asked.get("learning", "epochs", made.epochs)
    return dataclasses.replace(made, scheme_options=options, epochs=epochs)


def _check(made: Experiment) -> None:
    """UsageError for what the neurons or the loss of a training would refuse when it starts."""
    import neurons
    from training.first_spike import window

    options = {name: value for name, value in made.neuron_options.items() if name != "shape"}
    loss, steps = made.scheme_options["loss"], made.model_options["T"] + made.model_options["empty"]
    try:
        neurons.create(made.neuron, **options)
        if "D" in loss:
            window(steps, loss["D"])
    except ValueError as problem:
        raise UsageError(str(problem)) from None


def table(words: Sequence[str], scale: str) -> tuple[Table, list[str]]:
    """`fs_table` with the rows that the arguments ask for, gradients cleared and not; and what was corrected.

    UsageError at quick scale, at which the works' own settings do not run.
    """
    asked = of_words(words)  # first, for an argument may be a misspelt option of ours
    if scale == "quick":
        raise UsageError("Arguments of the released code describe its own trainings; give --scale short or paper.")
    arm, data = row_and_column(asked)
    _check(training(asked, arm, data, scale))
    asked.corrected.append(
        "The released loop never clears the gradients: the row called corrected clears them before each batch (D1)."
    )

    def cells(at: str) -> list[Cell]:
        rows = [
            dataclasses.replace(arm, behaviour=behaviour, changed="as asked") for behaviour in (RELEASED, CORRECTED)
        ]
        return [_cell(row, data, reading, training(asked, row, data, at), at) for row in rows for reading in ACCURACIES]

    return dataclasses.replace(FS_TABLE, cells=cells, claims=()), asked.corrected


def _cell(arm: Arm, data: Data, reading: str, made: Experiment, scale: str) -> Cell:
    shown: Protocol = protocol(reading, arm.coding, scale)
    return Cell(arm.row, data.name, READINGS[reading][arm.coding], made, (), shown)
