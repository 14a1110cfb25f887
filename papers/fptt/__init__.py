"""FPTT: forward propagation through time, with liquid time constants (Yin, Corradi and Bohte, 2023)."""
