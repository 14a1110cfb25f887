"""Exact checks on a trained network, by name: functions of the network, the test set and the device.

What they find is told with the run of an experiment that names them.
"""

from core.registry import Registry

registry = Registry(
    "check",
    {
        "psn_identities": "papers.psn.identities:measure",
        "ttfs_identities": "papers.ttfs.identities:measure",
        "ttfs_answers": "papers.ttfs.answers:measure",
        "costs": "papers.leaderboard.costs:measure",
    },
)
