"""Stored text on its way out: nothing in it steers, hides or turns round what a reader sees."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.table import Table

from core.console import Console
from core.plain import plain, visible

STEERING = (
    [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"]
    + [chr(code) for code in (*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070))]
    + ["\u00ad", "\u034f", "\u061c", "\u115f", "\u180e", "\u3164", "\ufe0f", "\ufeff", "\ud800", "\U000e0041"]
)


@pytest.mark.parametrize("character", STEERING, ids=lambda c: f"U+{ord(c):04X}")
def test_it_does_not_pass(character):
    for shown in (visible(f"a{character}b"), plain(f"a{character}b")):
        assert shown in ("a\ufffdb", "a b")


def test_what_is_meant_to_be_read_stays():
    text = "σ − × · ≥ é 中 🙂 [91.2, 95.1] <b>"
    assert plain(text) == visible(text) == text
    assert visible("two\nlines") == "two\nlines"
    assert plain("a\nb\tc\x1b[2J\u202e ") == "a b c\ufffd[2J\ufffd"


@given(st.text())
def test_any_text(text):
    shown = visible(text)
    assert len(shown) == len(text)
    assert all(c == "\n" or c == " " or unicodedata.category(c)[0] not in "CZ" for c in shown)
    assert visible(shown) == shown
    assert "\n" not in plain(text)


def test_a_terminal_keeps_its_own_colours_and_loses_those_of_the_text():
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, color_system="truecolor", width=60, markup=False, highlight=False
    )
    table = Table("name\x1b[31m")
    table.add_row("cell \x9b31m \u202e", style="red")
    console.print(table)
    console.print("line\x1b]0;title\x07 two\nthree", markup=False, soft_wrap=True)
    with Progress(console=console) as progress:
        progress.add_task("bar\x1b[2J", total=1)
    printed = stream.getvalue()
    assert "\x1b[31m" in printed  # the style of the row
    assert "cell \ufffd31m" in printed
    assert "line\ufffd]0;title" in printed
    assert not [steering for steering in ("\x1b[2J", "\x1b]0;", "\x9b", "\u202e", "\x07") if steering in printed]
