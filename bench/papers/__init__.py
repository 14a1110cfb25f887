"""The tables of the papers, one file per paper."""

from bench.registry import Registry

registry = Registry(
    "table",
    {
        "plif_table": "bench.papers.plif:PLIF_TABLE",
        "plif_ablation": "bench.papers.plif:PLIF_ABLATION",
    },
    group="spikebench.tables",
)
