"""The published values: read as printed, agreeing with each other and with the training curves where they should."""

import collections
from pathlib import Path

import pytest
from samples import a_run

from results import published
from results.errors import StoreError
from results.store import Store

SETS = ["MNIST", "Fashion-MNIST", "CIFAR-10", "N-MNIST", "CIFAR10-DVS", "DVS128 Gesture"]
LOGS = dict(zip(["MNIST", "FashionMNIST", "CIFAR10", "NMNIST", "CIFAR10DVS", "DVS128Gesture"], SETS, strict=True))


@pytest.fixture(scope="module")
def plif():
    _, values = published.load(published.FOLDER / "plif.toml")
    return values


@pytest.fixture(scope="module")
def cells(plif):
    """Value by table, row and column."""
    return {(v.table, v.row, v.column): v.value for v in plif if v.step is None}


@pytest.fixture(scope="module")
def curves(plif):
    """{epoch: value} by run and metric."""
    found = collections.defaultdict(dict)
    for value in plif:
        if value.table == published.CURVES:
            found[value.row, value.column][value.step] = value.value
    return found


def column_of(run):
    return LOGS[run.split("-")[1]]


def row_of(run):
    neuron, pooling = run.split("-")[2:4]
    return f"{neuron.rstrip('0123456789').upper()} {neuron.lstrip('plif')} {pooling}"


def test_a_few_values_as_printed(plif, cells):
    assert cells["readme_ablation_a", "PLIF 16 max", "N-MNIST"] == 99.53
    assert cells["readme_accuracy_ab", "accuracy-B", "CIFAR10-DVS"] == 69.0
    assert cells["paper_table2", "[21] Han et al. 2020 (RMP-SNN)", "CIFAR-10"] == 93.63
    assert cells["param_counts", "Fashion-MNIST", "params_plif"] == 13198980
    assert cells["log_final_tau", "B-CIFAR10-plif2-max", "tau6"] == 48.39
    assert cells["paper_table3", "CIFAR-10", "previous_T"] == 2048
    assert ("paper_table3", "N-MNIST", "previous_T") not in cells  # printed as a range, 59-64
    table7 = [v for v in plif if v.table == "paper_table7" and v.row == "N-MNIST"]
    assert [(v.column, v.protocol, v.value, v.unit) for v in table7] == [
        ("without_validation", "A", 99.61, "%"),
        ("with_15pct_validation", "B", 99.57, "%"),
    ]
    assert {v.provenance for v in plif} == {"reported", "derived"}


def test_data_sets_have_the_same_names_everywhere(plif):
    by_column = {v.column for v in plif if v.table in ("readme_accuracy_ab", "readme_ablation_a", "paper_table2")}
    assert by_column == set(SETS)
    assert {v.column for v in plif if v.table in ("paper_table4", "paper_table5")} == set(SETS) - {"MNIST", "N-MNIST"}
    by_row = ("paper_table3", "paper_table7", "log_accuracy_b", "param_counts", "epoch_seconds_b")
    for table in by_row:
        assert {v.row for v in plif if v.table == table} == set(SETS), table


def test_only_the_misprint_disagrees(cells):
    """Accuracy-A of PLIF 2 max is printed five times, and once, for MNIST in the README's first table, differently."""
    disagreeing = {
        column
        for column in SETS
        for printed in [
            cells["readme_accuracy_ab", "accuracy-A", column],
            cells["paper_table2", "Ours (PLIF, tau0=2, max pooling)", column],
            cells["paper_table7", column, "without_validation"],
            cells.get(("paper_table4", "PLIF 2 max", column)),
            cells.get(("paper_table5", "PLIF 2 max", column)),
        ]
        if printed not in (None, cells["readme_ablation_a", "PLIF 2 max", column])
    }
    assert disagreeing == {"MNIST"}
    assert cells["readme_accuracy_ab", "accuracy-A", "MNIST"] == 97.72


def test_curves_of_the_reported_runs(curves):
    runs = {run for run, _ in curves}
    assert sum(run.startswith("A-") for run in runs) == 30
    assert sum(run.startswith("B-") for run in runs) == 6
    for run in runs:
        epochs = curves[run, "test_accuracy"]
        assert {*range(33), *range(40, 1017, 8)} <= set(epochs)
        assert all(0 <= accuracy <= 1 for accuracy in epochs.values())
        assert ((run, "tau_0") in curves) == ("-plif" in run)
        assert ((run, "validation_accuracy") in curves) == run.startswith("B-")


def test_the_best_epoch_of_each_a_run_is_the_published_accuracy(curves, cells):
    seen = set()
    for run, metric in curves:
        if run.startswith("A-") and metric == "test_accuracy":
            best = round(100 * max(curves[run, metric].values()), 2)
            assert best == cells["readme_ablation_a", row_of(run), column_of(run)], run
            seen.add((row_of(run), column_of(run)))
    assert len(seen) == 30


def test_the_last_best_validation_epoch_of_each_b_run_is_accuracy_b(curves, cells):
    seen = set()
    for run, metric in curves:
        if metric == "validation_accuracy":
            validation = curves[run, metric]
            chosen = max(epoch for epoch, accuracy in validation.items() if accuracy == max(validation.values()))
            accuracy = round(100 * curves[run, "test_accuracy"][chosen], 2)
            assert accuracy == cells["readme_accuracy_ab", "accuracy-B", column_of(run)], run
            assert chosen == cells["log_accuracy_b", column_of(run), "last_epoch"]
            seen.add(column_of(run))
    assert seen == set(SETS)


def test_sync_loads_once(store, plif):
    run = a_run()
    store.record(run)
    assert published.sync(store) == ["first_spike", "fptt", "plif", "psn", "ttfs"]
    assert published.sync(store) == []
    found = store.published("plif")
    assert len(found) == len(plif)
    assert set(found) == set(plif)
    assert store.published(tables=["paper_table5"]) == [v for v in plif if v.table == "paper_table5"]
    assert store.published("plif", ["nosuch"]) == store.published("nosuch") == []
    assert store.run(run.id) == run


FILE = """
paper = "small"
[[table]]
id = "t"
caption = "c"
source = "s"
provenance = "reported"
[[table.block]]
protocol = "A"
unit = "%"
columns = ["one", "two"]
rows = [["row", 1, ""], ["other", 2, 3.5]]
[curves]
caption = "c"
source = "s"
provenance = "pilot"
units = { acc = "fraction", tau = "steps" }
"""
CURVES = "run,epoch,acc,tau0\nA-x,0,0.5,\ny,8,,2.25\n"


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.toml").write_text(FILE)
    (tmp_path / "small.curves.csv").write_text(CURVES)
    return tmp_path


def values_of(store):
    return [(v.table, v.row, v.column, v.protocol, v.step, v.value, v.unit) for v in store.published("small")]


def test_a_small_file(small):
    with Store("sqlite://") as store:
        assert published.sync(store, small) == ["small"]
        assert values_of(store) == [
            ("curve", "A-x", "acc", "A", 0, 0.5, "fraction"),
            ("curve", "y", "tau0", "", 8, 2.25, "steps"),
            ("t", "row", "one", "A", None, 1.0, "%"),
            ("t", "other", "one", "A", None, 2.0, "%"),
            ("t", "other", "two", "A", None, 3.5, "%"),
        ]
        (small / "small.curves.csv").write_text("run,epoch,acc\nA-x,0,0.25\n")
        assert published.sync(store, small) == ["small"]
        assert values_of(store)[0] == ("curve", "A-x", "acc", "A", 0, 0.25, "fraction")
        assert len(values_of(store)) == 4


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("3.5", '"n/a"', "row 'other', column 'two': 'n/a' is no number"),
        ("3.5", "nan", "nan is no number"),
        ("3.5", "true", "True is no number"),
        (", 3.5", "", "row 'other': 1 cells, 2 columns"),
        ('"other"', '"row"', "row 'row', column 'one' twice"),
        ('"%"', '"percent"', "unknown unit 'percent'"),
        ('"A"', '"C"', "protocol 'C'"),
        ('"pilot"', '"hearsay"', "provenance 'hearsay'"),
        ('source = "s"', "", "'source' is missing"),
        ('paper = "small"', 'paper = "large"', "paper = 'large'"),
        ("tau =", "nu =", "'tau' is missing"),
        ("[[table]]", "[[table]", "Expected"),
        pytest.param("[[table]]", f"deep = {'[' * 5000}", "maximum recursion depth", id="deep"),
    ],
)
def test_a_file_that_breaks_the_format(small, old, new, reason):
    (small / "small.toml").write_text(FILE.replace(old, new, 1))
    with Store("sqlite://") as store, pytest.raises(StoreError, match=f"small.toml cannot be read: .*{reason}"):
        published.sync(store, small)


def test_captions_and_notes_are_kept(tmp_path: Path) -> None:
    with Store(tmp_path / "store.db") as store:
        assert store.published_notes() == {}
        published.sync(store)
        caption, note = store.published_notes()["plif", "readme_accuracy_ab"]
    assert "both protocols" in caption
    assert "97.72" in note


def test_printed_digits_are_kept(plif):
    by_place = {(v.table, v.row, v.column, v.protocol): v for v in plif if v.step is None}
    cell = by_place["readme_ablation_a", "PLIF 2 max", "CIFAR-10", "A"]
    assert (cell.value, cell.decimals) == (93.5, 2)  # printed 93.50
    assert all(v.decimals is None for v in plif if v.table == published.CURVES)


def test_digits_as_the_file_writes_them(small):
    _, values = published.load(small / "small.toml")
    assert [(v.value, v.decimals) for v in values if v.table == "t"] == [(1.0, 0), (2.0, 0), (3.5, 1)]
