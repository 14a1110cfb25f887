"""The one exception of this room."""


class ReportError(OSError):
    """A report cannot be written; the message says what was asked, found, and can be done."""
