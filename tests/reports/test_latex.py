"""Any text for LaTeX: ASCII, nothing that acts, and, where pdflatex is installed, a page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import latex

LETTERS = "σ − × · ≥ é Ü ñ ß ø ł ç ř Å ế ı Σ λ Λ µ ² ₁ ⁻¹ “a” ‘b’ … — 中 ж 🙂 √ ½ Ω ς ℝ → < > | \" ' ` ~^\\&%$#_{}"


def test_by_hand() -> None:
    assert latex.escape("50 % of $x_1 & {y}#~^\\") == (
        r"50 \% of \$x\_1 \& \{y\}\#\textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert latex.escape("σ − 2 × τ · λ ≥ 0") == r"$\sigma$ $-$ 2 $\times$ $\tau$ $\cdot$ $\lambda$ $\geq$ 0"
    assert latex.escape("Müller, e\u0301, ế, Łódź") == r"M\"{u}ller, \'{e}, \'{\^{e}}, \L{}\'{o}d\'{z}"
    assert latex.escape("10⁻³, x₁") == r"10\textsuperscript{$-$}\textsuperscript{3}, x\textsubscript{1}"
    assert latex.escape("中\u202e\x1b") == r"\texttt{U+4E2D}\texttt{U+FFFD}\texttt{U+FFFD}"
    assert latex.comment("% a\nb σ") == r"% a b \u03c3"


@given(st.text() | st.text(st.characters(codec="latin-1")))
def test_any_text(text: str) -> None:
    found = latex.escape(text)
    assert found.isascii()
    assert "\n" not in found
    without = re.sub(r"\\[&%$#_{}]", "", found)
    assert without.count("{") == without.count("}")
    without = re.sub(r"\\text(superscript|subscript|tt)|\\[`'^~=.\"]\{|\\[A-Za-z]+", "", without)
    without = re.sub(r"\$\^\{\}\$|\$[-]?\$|[{}]", "", without)
    assert not set(without) & set("\\&%$#_{}~^<>|")


def compiled(folder: Path, preamble: str, body: str) -> str:
    """What pdflatex says of a document, which it has to make a file of."""
    text = f"\\documentclass{{article}}\n{preamble}\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (folder / "a.tex").write_text(text)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "a.pdf").stat().st_size > 0
    return done.stdout.decode(errors="replace")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_prints_it(tmp_path: Path) -> None:
    text = "\n\n".join(map(latex.escape, [*LETTERS.split(), "".join(latex._SIGNS), *latex._MATHS]))
    greek = "\n\n".join(map(latex.escape, map(chr, range(0x370, 0x400))))
    accents = "\n\n".join(map(latex.escape, map(chr, range(0xA1, 0x250))))
    body = f"{text}\n\n{greek}\n\n{accents}"
    compiled(tmp_path, "", body)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_prints_every_table_of_the_report(built: Path, tmp_path: Path) -> None:
    """With the one package that the tables name."""
    known = subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True)
    if known.returncode:
        pytest.skip("the LaTeX package booktabs is not installed")
    tables = sorted(built.glob("*.tex"))
    assert len(tables) > 20
    body = "\n\\clearpage\n".join(path.read_text(encoding="utf-8") for path in tables)
    said = compiled(tmp_path, "\\usepackage{booktabs}\n", body)
    assert "Undefined control sequence" not in said
    pages = re.search(r"Output written on a\.pdf \((\d+) pages", said)
    assert pages
    assert int(pages[1]) >= len(tables)
