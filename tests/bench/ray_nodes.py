"""A Ray cluster of two nodes with a core each, in processes of its own: python ray_nodes.py FOLDER, told by lines.

It answers the address when it is there; "kill" ends all processes of the second node at once and starts another one.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil

MEMORY = 80 * 2**20  # bytes of a node's object store
# Nothing is sent anywhere, and all listen on loopback alone; on a busy machine Ray's workers would hardly get a turn.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_worker_niceness": "0",
}


class Nodes:
    """The cluster in a process of its own, which is told by lines."""

    def __init__(self, folder: str, variables: dict[str, str]) -> None:
        command = [sys.executable, __file__, folder]
        said = Path(folder, "nodes.log")
        with said.open("w") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self.process = subprocess.Popen(command, env={**variables, **SETTINGS}, text=True, bufsize=1, **pipes)
        self.address = self._answer()
        if not self.address:  # a command would begin a cluster of its own
            self.process.wait()
            raise RuntimeError(f"The Ray cluster did not begin: {said.read_text()[-2000:]}")

    def kill_the_second(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("kill\n")
        assert self._answer() == "killed"

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        tree = psutil.Process(self.process.pid).children(recursive=True)
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait(60)
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def main(folder: str) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster()

    def add(**options: object) -> object:
        place = {"node_ip_address": "127.0.0.1", "temp_dir": folder}
        return cluster.add_node(num_cpus=1, object_store_memory=MEMORY, **place, **options)

    add(include_dashboard=False)
    second = add()
    print(cluster.address, flush=True)
    for _ in sys.stdin:
        cluster.remove_node(second, allow_graceful=False)
        second = add()
        print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
