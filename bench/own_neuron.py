"""A first try of a user's neuron, before anything is trained with it: what beginners forget is said in a sentence."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import SpikebenchError, UsageError

if TYPE_CHECKING:
    from papers.own_rows import Own

SHAPE = (2, 3)  # of the step that is tried: samples, neurons


def tried(own: Own) -> None:
    """Makes a layer of the neuron and computes a step. UsageError for what cannot be, with what to write."""
    layer = _made(own)
    if not layer.has_step():
        return
    if lacking := [state for state in layer.states if not hasattr(layer, state)]:
        raise UsageError(
            f"The neuron {own.row} begins without {lacking[0]!r}. Write self.reset() at the end of its constructor."
        )
    _step_of(own, layer)


def _made(own: Own) -> Any:
    import models
    from papers.overrides import parameters
    from papers.own_rows import require_alike

    try:
        usual = parameters("neuron", own.neuron)
        for name, given in own.options.items():
            require_alike(name, usual.get(name), given)
        return models.factory(own.neuron, **own.options)(SHAPE[1:])
    except (TypeError, ValueError) as error:
        raise UsageError(f"The neuron {own.row} cannot be made: {error}") from error
    except AttributeError as error:
        raise UsageError(
            f"The neuron {own.row} cannot be made: {error}. Its constructor begins with super().__init__(**common)."
        ) from error
    except SpikebenchError:  # a sentence already
        raise
    except SystemExit as error:
        raise UsageError(
            f"The neuron {own.row} cannot be made: its file ends the program when it is imported."
        ) from error
    except Exception as error:
        raise UsageError(f"The neuron {own.row} cannot be made: {_said(own, error)}.") from error


def _said(own: Own, error: Exception) -> str:
    """What was raised, and where in the file of the neuron: "ValueError: no tau (my_neurons.py, line 7)"."""
    import neurons

    frames = traceback.extract_tb(error.__traceback__)
    file = inspect.getfile(neurons.registry.get(own.neuron))
    place = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"


def _step_of(own: Own, layer: Any) -> None:
    import torch

    x = torch.zeros(SHAPE)
    with torch.no_grad():
        states = layer.load_states(x)
        try:
            found = layer.step(x, *states)
        except Exception as error:
            trace = error.__traceback__
            if isinstance(error, TypeError) and trace and trace.tb_next is None:  # raised by the call, not within
                raise UsageError(
                    f"The step of the neuron {own.row} cannot be called with x and {len(states)} states: {error}"
                ) from error
            raise UsageError(f"The step of the neuron {own.row} fails: {_said(own, error)}.") from error
    names = ", ".join(["spikes", *layer.states])
    if not isinstance(found, tuple):
        raise UsageError(f"The step of the neuron {own.row} returns one value; write return {names}.")
    if len(found) != 1 + len(states):
        raise UsageError(f"The step of the neuron {own.row} returns {len(found)} values; write return {names}.")
    for name, value in zip(names.split(", "), found, strict=True):
        if getattr(value, "shape", None) != x.shape:
            shape = list(getattr(value, "shape", [])) or type(value).__name__
            raise UsageError(
                f"The step of the neuron {own.row} returns {name} of shape {shape} for an input of {list(SHAPE)}; each "
                "value has the shape of the input."
            )
