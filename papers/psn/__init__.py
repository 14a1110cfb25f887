"""Parallel spiking neurons: PSN, masked and sliding (Fang et al., NeurIPS 2023)."""
