"""The shell every command runs in: exit status, errors as sentences, Ctrl-C, terminals that lack letters."""

from __future__ import annotations

import functools
import io
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .errors import FAILED, INTERRUPTED, SpikebenchError
from .imports import own_first

if TYPE_CHECKING:
    import typer


def exit_status(command: Callable[..., int]) -> Callable[..., None]:
    """Makes a function a command: its return value is the exit status, its known errors are sentences."""

    def status(*args: Any, **kwargs: Any) -> int:
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - the shell may have closed it
        sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a terminal without such a letter must not end a long run
                stream.reconfigure(errors="replace")
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            returned = command(*args, **kwargs)
            sys.stdout.flush()
            return returned
        except BrokenPipeError:  # its reader, such as head, has enough
            return FAILED
        except SpikebenchError as error:
            return _say(error, error.exit_status)
        except OSError as error:  # a full disk, a folder that cannot be written
            return _say(_of_the_system(error), FAILED)
        except KeyboardInterrupt:
            return _say("Interrupted. What was finished is stored; the same command goes on from there.", INTERRUPTED)

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with own_first(), _plain_warnings():
                sys.exit(status(*args, **kwargs))
        finally:
            _drop_what_cannot_be_written()

    return wrapped


def typed(module: str, context: typer.Context) -> str:
    """How the command of `module` was typed, for the store; as a verb of `spikebench` it is the same command."""
    words = sys.argv[1:] if context.parent is None else sys.argv[2:]
    return f"python -m {module} {shlex.join(words)}".strip()


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Within, a refused plug-in is a sentence, without the place in our code."""
    from .plugins import PluginWarning

    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, PluginWarning):
                print(f"Warning: {message}", file=sys.stderr)
            else:
                usual(message, category, *place)

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _say(message: object, status: int) -> int:
    text = presentable(str(message))
    with suppress(OSError):  # the status tells it where the sentence cannot be written
        print(f"Error: {text}" if status != INTERRUPTED else text, file=sys.stderr)
    return status


def _of_the_system(error: OSError) -> str:
    """A sentence for what the system refused; where it names no file it most often is the output."""
    if error.strerror is None:
        return str(error)
    what = "The output cannot be written" if error.filename is None else f"{error.filename} cannot be used"
    return f"{what}: {error.strerror}. Make room or name another place, and repeat the command."


def presentable(message: str) -> str:
    """The message as it may be shown: what was typed as a name may have been a store's URL, or steer a terminal."""
    from .masking import hidden_as_typed
    from .plain import visible

    return visible(hidden_as_typed(message, sys.argv))


def _drop_what_cannot_be_written() -> None:
    """Else the interpreter tries again at its end, and says how it fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
