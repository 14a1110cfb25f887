"""The one rule by which a measured value is held against a published one."""

from __future__ import annotations

from collections.abc import Collection

RULE = (
    "reproduced: the published value lies within the 95 % interval of the measured one; higher or lower: the measured "
    "interval lies wholly above or below it; not comparable: scale, protocol or data differ, nothing was published, or "
    "the published value is a recollection or our own pilot; sources disagree: the sources print different values; "
    "missing: nothing was measured. The interval is Wilson's for the true size of the test set, widened to Student's "
    "over seeds where several were run."
)


def verdict(
    published: Collection[float], low: float | None, high: float | None, not_comparable: str, tolerance: float
) -> tuple[str, str]:
    """Verdict and reason of a cell.

    `published` are the values the sources print (percent, say) and [`low`, `high`] the measured interval in the same
    unit, None where nothing was measured; `tolerance` is half a unit of the last printed digit, by which equal values
    may differ.
    """
    distinct = sorted(set(published))
    disagree = len(distinct) > 1 and distinct[-1] - distinct[0] > 2 * tolerance
    if low is None or high is None:
        return "missing", "nothing measured"
    if not distinct:
        return "not comparable", f"nothing published; {not_comparable}" if not_comparable else "nothing published"
    if not_comparable:
        return "not comparable", not_comparable
    if disagree:
        return "sources disagree", "printed as " + " and ".join(f"{value:g}" for value in distinct)
    value = distinct[0]
    if value > high + tolerance:
        return "lower", ""
    if value < low - tolerance:
        return "higher", ""
    return "reproduced", ""
