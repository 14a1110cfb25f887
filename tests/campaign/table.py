"""A table of small trainings, found through an entry point like any user's: it is run again and again."""

from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.table import Cell, Table

EPOCHS = {"first": 2, "second": 8, "third": 8}  # the first is through before most of what happens
ENTRY_POINTS = "[spikebench.tables]\ncampaign = campaign_table:TABLE\n"


def _cell(name: str, epochs: int, channels: int) -> Cell:
    experiment = Experiment(
        task="digits", model="plif_mnist", neuron="plif", scheme="bptt", epochs=epochs, batch_size=128, scale="quick",
        seed=0, task_options={"validation": 0.15}, neuron_options={"init_tau": 2.0, "detach_reset": True},
        model_options={"side": 8, "channels": channels, "hidden": 12, "T": 3}, scheme_options={"lr": 0.01},
    )  # fmt: skip
    return Cell(name, "digits", ACCURACY, experiment, ())


def _cells(scale: str) -> list[Cell]:
    return [_cell(name, epochs, channels) for channels, (name, epochs) in enumerate(EPOCHS.items(), 2)]


TABLE = Table("campaign", "tiny", "a small table", _cells)
