"""Names that are not known."""

from __future__ import annotations

import pytest

from core.registry import unknown


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("plfi", "Unknown neuron 'plfi'. Did you mean 'plif'? Known: lif, plif."),
        (None, "Unknown neuron None. Known: lif, plif."),
        (3, "Unknown neuron 3. Known: lif, plif."),
    ],
)
def test_what_was_asked_and_what_there_is(name: object, sentence: str) -> None:
    assert str(unknown("neuron", name, ["lif", "plif"])) == sentence
