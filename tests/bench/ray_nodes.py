"""A Ray cluster of two nodes with a core each, in processes of its own: python ray_nodes.py FOLDER, told by lines.

It answers the address when it is there; "kill" ends all processes of the second node at once and starts another one.
"""

from __future__ import annotations

import sys

MEMORY = 80 * 2**20  # bytes of a node's object store


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
