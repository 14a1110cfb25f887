"""First-spike coding (Liu, Leung and Dragotti 2023)."""
