"""asv suites, generated from the registries: `asv run` measures every neuron of a commit."""
