"""T2FSNN: networks of single spikes in closed form (Goupy 2025), the model of Wei et al., ICCV 2023."""
