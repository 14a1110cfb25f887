"""Networks of the neuron `relpsp` in closed form: spike times instead of time steps (T2FSNN, the model of DTA-TTFS)."""
