"""The neurons by name; each is imported when it is asked for."""

from __future__ import annotations

from core.registry import Registry

registry = Registry(
    "neuron",
    {
        "if": "neurons.integrate_and_fire:IF",
        "lif": "neurons.integrate_and_fire:LIF",
        "plif": "neurons.integrate_and_fire:PLIF",
        "klif": "neurons.klif:KLIF",
        "glif": "neurons.glif:GLIF",
        "psn": "neurons.psn:PSN",
        "masked_psn": "neurons.psn:MaskedPSN",
        "sliding_psn": "neurons.psn:SlidingPSN",
        "ltc": "neurons.adaptive_threshold:LTC",
        "alif": "neurons.adaptive_threshold:ALIF",
        "culif": "neurons.current_based:CuLIF",
        "pculif": "neurons.current_based:PCuLIF",
        "adlif": "neurons.current_based:AdLIF",
        "cuadlif": "neurons.cuadlif:CuAdLIF",
        "relpsp": "neurons.relpsp:RelPSP",
        "eif": "neurons.nonlinear:EIF",
        "qif": "neurons.nonlinear:QIF",
        "izhikevich": "neurons.nonlinear:Izhikevich",
    },
    group="spikebench.neurons",
)
