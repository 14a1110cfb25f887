"""The networks of first-spike coding (Liu, Leung and Dragotti 2023)."""
