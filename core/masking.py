"""Passwords in the URLs of stores, made unreadable wherever such a URL may be shown or kept."""

import re
import shlex
from urllib.parse import unquote_plus

HIDDEN = "***"
_SECRET = re.compile("pass|pwd|secret|token|key|odbc", re.IGNORECASE)  # in the name of an option of a driver
_USER = re.compile(r"(://[^:/]*):.*@", re.DOTALL)  # to the last @: a password that holds one unquoted is hidden whole
_OPTION = re.compile(r"([?&])([^=&?]*)=([^&]*)")


def hidden(text: str) -> str:
    """`text` with the password of each URL in it replaced, before the @ and among the options after the ?."""
    return re.sub(r"\S*://\S*", lambda found: _hidden(found[0]), text) if "://" in text else text


def hidden_in_command(command: str) -> str:
    """The command line with passwords replaced, also those with quoted spaces; else with each word as it was."""
    if "://" not in command:
        return command
    try:
        words = shlex.split(command)
    except ValueError:  # an open quote: not written by a shell's rules
        return hidden(command)
    masked = [_hidden(word) for word in words]
    return command if masked == words else shlex.join(masked)


def _hidden(word: str) -> str:
    if "://" not in word:
        return word
    return _OPTION.sub(_option, _USER.sub(rf"\1:{HIDDEN}@", word))


def _option(found: re.Match[str]) -> str:
    name = found[2]
    return f"{found[1]}{name}={HIDDEN}" if _SECRET.search(unquote_plus(name)) else found[0]
