"""The one exception of this room."""


class ReportError(Exception):
    """A report cannot be made; the message says what was asked, found, and can be done."""
