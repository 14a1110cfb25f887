"""The tables of the papers, one file per paper."""

from core.registry import Registry

registry = Registry(
    "table",
    {
        "plif_table": "papers.plif.tables:PLIF_TABLE",
        "plif_ablation": "papers.plif.tables:PLIF_ABLATION",
        "psn_sequential": "papers.psn.tables:PSN_SEQUENTIAL",
        "psn_order": "papers.psn.tables:PSN_ORDER",
        "psn_cifar10": "papers.psn.tables:PSN_CIFAR10",
        "psn_cifar10dvs": "papers.psn.tables:PSN_CIFAR10DVS",
        "psn_imagenet": "papers.psn.tables:PSN_IMAGENET",
        "fptt_adding": "papers.fptt.adding:FPTT_ADDING",
        "fptt_sequential": "papers.fptt.classes:FPTT_SEQUENTIAL",
        "fptt_images": "papers.fptt.images:FPTT_IMAGES",
        "fptt_dvs": "papers.fptt.dvs:FPTT_DVS",
        "fptt_memory": "papers.fptt.memory:FPTT_MEMORY",
        "fptt_rates": "papers.fptt.rates:FPTT_RATES",
        "fptt_yolo": "papers.fptt.detector:FPTT_YOLO",
        "fptt_detector": "papers.fptt.trained_detector:FPTT_DETECTOR",
        "fs_table": "papers.first_spike.table:FS_TABLE",
        "fs_latency": "papers.first_spike.table:FS_LATENCY",
        "ttfs_table": "papers.ttfs.table:TTFS_TABLE",
        "leaderboard": "papers.leaderboard.table:LEADERBOARD",
        "precision": "papers.precision.table:PRECISION",
    },
    group="spikebench.tables",
)
# Arguments of a work's released code: (words, scale) -> the table that they ask for, and what was corrected.
ORIGINALS = Registry("table with the arguments of its released code", {"fs_table": "papers.first_spike.original:table"})
