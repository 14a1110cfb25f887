"""What the end of a child process means."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from core.children import ended

TRACEBACK = "Traceback (most recent call last):\n  File 'x'\n{}\n\n"


@pytest.mark.parametrize(
    ("status", "said", "outcome", "reason"),
    [
        (-signal.SIGKILL, "", "oom", "killed by SIGKILL, as the system does when memory runs out"),
        (-signal.SIGSEGV, "", "crashed", "died of SIGSEGV"),
        (-signal.SIGSEGV, "UserWarning: slow", "crashed", "died of SIGSEGV"),
        (-40, "", "crashed", "died of signal 40"),
        (
            -signal.SIGABRT,
            "terminate called\n  what():  std::bad_alloc\n",
            "oom",
            "died of SIGABRT: what():  std::bad_alloc",
        ),
        (3, "", "crashed", "ended with exit status 3 and no result"),
        (0, "", "crashed", "ended with exit status 0 and no result"),
        (1, TRACEBACK.format("ValueError: no"), "crashed", "ValueError: no"),
        (1, TRACEBACK.format("MemoryError"), "oom", "MemoryError"),
        (1, "MemoryError once, long ago\nValueError: no", "crashed", "ValueError: no"),
    ],
)
def test_status_and_last_words_say_what_happened(status: int, said: str, outcome: str, reason: str) -> None:
    assert ended(status, said) == (outcome, reason)


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("import os; os.kill(os.getpid(), 9)", "oom"),
        ("import os; os.abort()", "crashed"),
        ("raise MemoryError", "oom"),
        ("raise SystemExit(3)", "crashed"),
    ],
)
def test_real_ends(does: str, expected: str) -> None:
    done = subprocess.run([sys.executable, "-c", does], capture_output=True, text=True, timeout=60)
    assert ended(done.returncode, done.stderr)[0] == expected
