"""The simulated event camera."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks import camera

SIDE = 16


def test_a_dark_image_gives_no_events() -> None:
    events = camera.record(np.zeros((2, 8, 8)), SIDE)
    assert events.start.tolist() == [0, 0, 0]
    assert len(events.t) == 0


def test_the_path_closes_and_turns_at_its_corners() -> None:
    path = camera._path()
    assert path.shape == (97, 2)
    assert np.array_equal(path[[0, 32, 64, 96]], camera.CORNERS[[0, 1, 2, 0]])


def test_an_image_centred_at_rest_is_sampled_between_its_pixels() -> None:
    # 8 pixels over 12 field pixels: the field's pixel 8 (centre 8.5, 0.5 right of the middle) lies at 0.5 * 8 / 12 =
    # 1/3 right of the image's middle, 3.5 + 1/3, between pixel 3 and 4 with the weights 1/6 and 5/6.
    weights = camera._weights(8, SIDE, 0.0)
    assert np.allclose(weights[8, 3:5], [1 / 6, 5 / 6])
    assert weights[8].sum() == 1
    # The field's first pixel, 7.5 left of the middle, lies outside the image.
    assert not weights[0].any()


def test_a_bright_edge_that_moves_right_turns_pixels_on_in_front_and_off_behind() -> None:
    image = np.zeros((1, 8, 8))
    image[0, :, 3:5] = 1
    events = camera.record(image, SIDE)
    # The first saccade goes right and a little down; the middle row sees only the horizontal movement.
    first = (events.t < camera.SACCADE_US) & (events.y == SIDE // 2)
    assert events.x[first & (events.p == 1)].min() > events.x[first & (events.p == 0)].max()


def test_each_pixel_ends_at_its_first_level() -> None:
    images = np.random.default_rng(0).random((3, 8, 8))
    events = camera.record(images, SIDE)
    for i in range(3):
        own = slice(events.start[i], events.start[i + 1])
        balance = np.zeros((SIDE, SIDE), int)
        np.add.at(balance, (events.y[own], events.x[own]), 2 * events.p[own] - 1)
        assert len(events.t[own]) > 0
        assert not balance.any()


@settings(max_examples=20)
@given(arrays(np.float64, (2, 8, 8), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_events_are_sorted_on_the_field_and_independent_of_the_other_images(images: np.ndarray) -> None:
    events = camera.record(images, SIDE)
    assert events.start[0] == 0
    assert events.start[-1] == len(events.t)
    for i in range(2):
        own = slice(events.start[i], events.start[i + 1])
        alone = camera.record(images[i : i + 1], SIDE)
        for name in "txyp":
            assert np.array_equal(getattr(events, name)[own], getattr(alone, name))
        assert (np.diff(events.t[own]) >= 0).all()
    assert ((events.x >= 0) & (events.x < SIDE) & (events.y >= 0) & (events.y < SIDE)).all()
    assert ((events.t >= 0) & (events.t <= 3 * camera.SACCADE_US)).all()
    assert set(np.unique(events.p)) <= {0, 1}
