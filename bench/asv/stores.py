"""What a large store costs: a thousand invented runs of a hundred metrics each (bench.synthetic)."""

from __future__ import annotations

import tempfile
from pathlib import Path

# Nothing of ours is imported here: the suite of the newest commit runs against older ones, which may lack it.
RUNS = 1000
SEEDS = range(2020, 2032)  # those of the invented runs


class Stores:
    """Seconds of what commands do with such a store, on SQLite."""

    timeout = 300
    number = repeat = 1

    def setup_cache(self) -> str:
        from bench import synthetic
        from results import Store, lines

        folder = str(Path.cwd())  # which asv makes for each suite and removes
        with Store(Path(folder, "store.db")) as store:
            synthetic.fill(store, RUNS)
            lines.write(store, Path(folder, "lines.jsonl"))
        return folder

    def time_list(self, folder: str) -> None:
        from results import Store

        with Store(Path(folder, "store.db"), read_only=True) as store:
            store.runs()

    def time_results(self, folder: str) -> None:
        from papers.headline import headlines
        from results import Store

        with Store(Path(folder, "store.db"), read_only=True) as store:
            headlines(store, store.runs())

    def time_plan(self, folder: str) -> None:
        from bench.plan import plan
        from papers import registry
        from results import Store

        with Store(Path(folder, "store.db"), read_only=True) as store:
            plan(store, registry.get("plif_ablation").experiments("quick", SEEDS), None)

    def time_evaluate(self, folder: str) -> None:
        from papers import registry
        from papers.evaluate import evaluate
        from results import Store

        with Store(Path(folder, "store.db"), read_only=True) as store:
            evaluate(store, registry.get("plif_ablation"), "quick")

    def time_report(self, folder: str) -> None:
        from reports import site
        from results import Store

        with tempfile.TemporaryDirectory() as place, Store(Path(folder, "store.db"), read_only=True) as store:
            site.build(store, Path(place))

    def time_export(self, folder: str) -> None:
        from results import Store, lines

        with Store(Path(folder, "store.db"), read_only=True) as store:
            lines.dump(store)

    def time_import(self, folder: str) -> None:
        from results import Store, reading

        with tempfile.TemporaryDirectory() as place, Store(Path(place, "store.db")) as store:
            store.record_all(*reading.read([Path(folder, "lines.jsonl")]))

    def peakmem_import(self, folder: str) -> None:
        self.time_import(folder)
