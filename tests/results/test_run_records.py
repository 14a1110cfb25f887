"""What a record refuses and what it makes uniform."""

import math

import pytest
from hypothesis import given
from samples import a_parity, a_run, runs

from results.errors import StoreError
from results.run import Dataset, Metric, Sample, canonical_json, content_key, timestamp


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: a_run(outcome="okay"), "Unknown outcome 'okay'. Did you mean 'ok'\\?"),
        (lambda: a_run(outcome="oom"), "reason of a run that is oom is ''"),
        (lambda: a_run(id="run-1"), "is no UUID"),
        (lambda: a_run(started="yesterday"), "not ISO-8601"),
        (lambda: a_run(started="2026-01-02T03:04:05"), "not marked as UTC"),
        (lambda: a_run(started="2026-01-02T03:04:05+01:00"), "not marked as UTC"),
        (lambda: a_run(seconds=-0.5), "cannot take -0.5 s"),
        (lambda: a_run(seed=1.5), "seed 1.5 is no whole number"),
        (lambda: a_run(seed=2**63), "seed 9223372036854775808 is out of range"),
        (lambda: a_run(device=0), "device 0 is no text"),
        (lambda: a_run(machine="laptop"), "machine 'laptop' is no JSON object"),
        (lambda: a_run(experiment={"lr": math.inf}), "something JSON cannot"),
        (lambda: a_run(metrics=(Metric("a", 1, "s"), Metric("a", 2, "s"))), "given twice, with different content"),
        (lambda: a_parity(reason=" "), "reason of a parity check that is not green"),
        (lambda: Metric("loss", 1.0, "sec"), "Unknown unit 'sec'"),
        (lambda: Metric("", 1.0, "s"), "metric name is ''"),
        (lambda: Metric("loss", "0.5", "1"), "value '0.5' is a text"),
        (lambda: Metric("loss", 0.5, "1", -1), "step -1 is out of range"),
        (lambda: Sample("step", 0.5, 1.0, "s"), "index 0.5 is no whole number"),
        (lambda: Dataset("", "digits", True, {}), "digest is ''"),
        (lambda: Dataset("d", "digits", True, {"train": -1}), "count -1 is out of range"),
    ],
)
def test_what_is_refused(make, match):
    with pytest.raises(StoreError, match=match):
        make()


def test_times_are_written_in_one_way():
    run = a_run(started="2026-01-02T03:04:05+00:00")
    assert run.started == "2026-01-02T03:04:05.000000Z"
    assert a_run(started=timestamp()).started.endswith("Z")


def test_numbers_that_are_none():
    assert [Metric("loss", value, "1").value for value in (math.nan, math.inf, None)] == [None, None, None]
    assert math.copysign(1, Metric("loss", -0.0, "1").value) == 1


def test_canonical_json():
    # Keys sorted, no spaces, ASCII; the digest was computed with sha256sum.
    assert canonical_json({"b": [1, 2.5, None], "a": "ü"}) == '{"a":"\\u00fc","b":[1,2.5,null]}'
    assert content_key({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@given(runs())
def test_making_a_record_again_changes_nothing(run):
    assert type(run)(**vars(run)) == run
