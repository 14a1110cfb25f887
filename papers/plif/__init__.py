"""PLIF: learnable membrane time constant (Fang et al., ICCV 2021)."""
