"""The tables of the papers, one file per paper."""

from bench.registry import Registry

registry = Registry(
    "table",
    {
        "plif_table": "bench.papers.plif:PLIF_TABLE",
        "plif_ablation": "bench.papers.plif:PLIF_ABLATION",
        "psn_sequential": "bench.papers.psn:PSN_SEQUENTIAL",
        "psn_order": "bench.papers.psn:PSN_ORDER",
        "psn_cifar10": "bench.papers.psn:PSN_CIFAR10",
        "psn_cifar10dvs": "bench.papers.psn:PSN_CIFAR10DVS",
        "psn_imagenet": "bench.papers.psn:PSN_IMAGENET",
    },
    group="spikebench.tables",
)
