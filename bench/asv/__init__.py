"""asv suites: every neuron of the registry on every backend that runs here, in three shapes; whole training steps and
inference of convolutional networks; large stores.

    asv machine --yes
    asv run HEAD~3..HEAD          # builds an environment for each commit; the first takes as long as installing PyTorch
    asv run --python=same         # this checkout, in the environment that is active
    asv continuous HEAD~1 HEAD    # status 1 if something became slower
    asv publish && asv preview    # the history of what is checked out, as pages
    python -m results import-asv .asv/results/*/*.json

asv imports this folder as a top-level package and puts its parent on the path, ahead of the standard library: no
module in `bench/` may have the name of a standard one.
"""
