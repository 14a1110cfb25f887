"""A small build of every network: options, and the shape of a batch."""

from __future__ import annotations

from typing import Any

NEAR: dict[str, Any] = {"name": "culif", "v_threshold": 0.05}  # an output that fires soon
SMALL: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "plif_mnist": ({"side": 8, "channels": 3, "hidden": 20, "T": 5}, (2, 1, 8, 8)),
    "plif_cifar10": ({"side": 8, "channels": 3, "hidden": 20, "T": 5}, (2, 3, 8, 8)),
    "plif_nmnist": ({"side": 8, "channels": 3, "hidden": 20, "T": 5}, (2, 5, 2, 8, 8)),
    "plif_cifar10dvs": ({"side": 16, "channels": 3, "hidden": 20, "T": 5}, (2, 5, 2, 16, 16)),
    "plif_dvs128gesture": ({"side": 32, "channels": 3, "hidden": 20, "T": 5}, (2, 5, 2, 32, 32)),
    "psn_sequential": ({"side": 8, "inputs": 1, "channels": 3, "answer": 2}, (2, 1, 8, 8)),
    "psn_cifar10": ({"side": 8, "channels": 3, "T": 5}, (2, 3, 8, 8)),
    "psn_cifar10dvs": ({"side": 8, "T": 5, "channels": [3, "P"]}, (2, 5, 2, 8, 8)),
    "vggsnn": ({"side": 8, "T": 5, "channels": [3, "P"]}, (2, 5, 2, 8, 8)),
    "sew_resnet18": ({"channels": 2, "classes": 6, "T": 5}, (1, 3, 32, 32)),
    "sew_resnet34": ({"channels": 2, "classes": 6, "T": 5}, (1, 3, 32, 32)),
    "sew_resnet50": ({"channels": 2, "classes": 6, "T": 5}, (1, 3, 32, 32)),
    "sequential_fc": ({"side": 4, "hidden": 5, "order": "rows"}, (3, 1, 4, 4)),
    "budgeted": ({"width": 20, "T": 5, "values": 6, "outputs": 3, "answer": 2}, (3, 5, 6)),
    "fptt_adding": ({"T": 5, "hidden": 6}, (3, 5, 2)),
    "fptt_adding_lstm": ({"T": 5, "hidden": 6}, (3, 5, 2)),
    "fptt_adding_rnn": ({"T": 5, "hidden": 6}, (3, 5, 2)),
    "fptt_sequential": ({"side": 3, "hidden": 6, "layers": 2}, (4, 1, 3, 3)),
    "fptt_images": ({"side": 8, "channels": [3, 4, "P"], "hidden": 20, "T": 5}, (2, 1, 8, 8)),
    "fptt_cifar10": ({"side": 8, "channels": [3, 4, "P"], "hidden": 20, "T": 5}, (2, 3, 8, 8)),
    "fptt_gesture": ({"side": 16, "hidden": 20, "T": 5}, (2, 5, 2, 16, 16)),
    "fptt_gesture_conv": (
        {"side": 8, "channels": [3, "P"], "kernels": 5, "hidden": 20, "T": 5, "recurrent": True},
        (2, 5, 2, 8, 8),
    ),
    "fptt_spyv4": ({"T": 5, "classes": 3, "divisor": 16}, (2, 3, 64, 64)),
    "fs_feed_forward": ({"T": 5, "inputs": 6, "hidden": [7], "output": NEAR}, (3, 5, 6)),
    "fs_feed_forward_sparse": ({"T": 5, "inputs": 6, "hidden": [7], "output": NEAR}, (3, 5, 6)),
    "fs_recurrent": ({"T": 5, "inputs": 6, "hidden": [7], "output": NEAR}, (3, 5, 6)),
    "fs_recurrent_whole": ({"T": 5, "inputs": 6, "hidden": [7], "output": NEAR}, (3, 5, 6)),
    "fs_gesture": (
        {"T": 5, "size": (8, 8), "channels": [3, "P"], "hidden": 20, "empty": 0, "output": NEAR},
        (2, 5, 2, 8, 8),
    ),
    "fs_plane": (
        {"T": 5, "size": (8, 12), "channels": [3, "P"], "hidden": 20, "empty": 1, "output": NEAR},
        (2, 5, 2, 8, 12),
    ),
    "ttfs": ({"architecture": "4C3 - P2 - 6F", "side": 8}, (2, 1, 8, 8)),
    "ttfs_relu": ({"architecture": "4C3 - P2 - 6F", "side": 8}, (2, 1, 8, 8)),
}
