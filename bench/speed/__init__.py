"""Speed and memory of kernels: contenders, meters and the processes in which they are measured.

`python -m bench.kernels` plans jobs (`job`) and starts a process for each (`parent`, `child`); what one job measures is
a module of its own: `layer`, `first_use`, `memory`, `roofline`, `frontier`, `linear`, `network`.
"""
