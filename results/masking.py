"""Passwords in the URLs of stores, made unreadable wherever such a URL may be shown or kept."""

import re
import shlex
from collections.abc import Iterable
from urllib.parse import unquote_plus

HIDDEN = "***"
# In the name of an option of a driver, also a mistyped one: pasword, psswd, pword.
_SECRET = re.compile("pa?s|pw|wo?rd|secr|token|key|cred|odbc", re.IGNORECASE)
_DATABASE = r"\b(?:postgres|postgresql|mysql|mariadb|oracle|mssql)(?:\+\w+)?:"  # its // may have been forgotten
_URL = re.compile(rf"(?:://|{_DATABASE})", re.IGNORECASE)
# To the last @: a password that holds one unquoted is hidden whole.
_USER = re.compile(rf"((?:://|{_DATABASE}/?)[^:/]*):.*@", re.DOTALL | re.IGNORECASE)
_OPTION = re.compile(r"([?&])([^=&?]*)=([^&]*)")


def hidden(text: str) -> str:
    """`text` with the password of each URL in it replaced, before the @ and among the options after the ?."""
    return re.sub(r"\S+", lambda found: _hidden(found[0]), text) if _URL.search(text) else text


def hidden_as_typed(text: str, words: Iterable[str]) -> str:
    """As `hidden`, for text that may quote the `words` of a command line, whose passwords may hold spaces."""
    for word in words:
        if found := re.search(rf"[^=\s]*{_URL.pattern}.*", word, re.DOTALL | re.IGNORECASE):
            url = found[0]
            for form in (url, repr(url)[1:-1], url.replace("://", ":/")):  # the last is what a path makes of it
                text = text.replace(form, _hidden(form))
    return hidden(text)


def hidden_in_command(command: str) -> str:
    """The command line with passwords replaced, also those with quoted spaces; else with each word as it was."""
    if not _URL.search(command):
        return command
    try:
        words = shlex.split(command)
    except ValueError:  # an open quote: not written by a shell's rules
        return hidden(command)
    masked = [_hidden(word) for word in words]
    return command if masked == words else shlex.join(masked)


def _hidden(word: str) -> str:
    if not _URL.search(word):
        return word
    return _OPTION.sub(_option, _USER.sub(rf"\1:{HIDDEN}@", word))


def _option(found: re.Match[str]) -> str:
    name = found[2]
    return f"{found[1]}{name}={HIDDEN}" if _SECRET.search(unquote_plus(name)) else found[0]
