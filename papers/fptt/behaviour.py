"""Where the released scripts do something else than the paper says, each slip an option of its own.

"released" does as the code, "corrected" as the paper and its README.
"""

from __future__ import annotations

from typing import Any

Options = dict[str, Any]

RELEASED, CORRECTED = "released", "corrected"

# The script of the adding problem lacks two brackets in (p + 1) / K, and never trains the last chunk.
ADDING: dict[str, Options] = {
    RELEASED: {"weights": "slip", "last": False},
    CORRECTED: {"weights": "linear", "last": True},
}
# The scripts of classes average the auxiliary loss over classes, too, which makes it a tenth, and keep the traces.
CLASSES: dict[str, Options] = {
    RELEASED: {"auxiliary": {"mean": "entries"}, "forget": "never"},
    CORRECTED: {"auxiliary": {"mean": "samples"}, "forget": "sequence"},
}
# The second layer of the two-layer S-MNIST network is fed back the spikes of the first.
NETWORK: dict[str, Options] = {RELEASED: {"released": True}, CORRECTED: {"released": False}}
