"""The one exception of this room."""

from core.errors import SpikebenchError


class ReportError(SpikebenchError, OSError):
    """A report cannot be written; the message says what was asked, found, and can be done."""
