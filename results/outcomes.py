"""What can become of a run. Every run ends as exactly one of these and, unless it is `ok`, with a sentence."""

OUTCOMES: dict[str, str] = {
    "ok": "finished; its metrics are valid",
    "skipped": "not started because another process was running it",
    "unsupported": "this combination cannot be computed by this code",
    "unavailable": "data or a device is missing here",
    "oom": "ran out of host or device memory",
    "timeout": "took longer than allowed",
    "crashed": "the process raised an error or died of a signal",
    "diverged": "a loss, a parameter or a buffer stopped being finite",
    "parity_failed": "the implementation differs from the reference, so its figures were not taken",
    "interrupted": "stopped from outside before it was done",
}

OK = "ok"
