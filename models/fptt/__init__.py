"""The networks of the FPTT work (Yin, Corradi and Bohte, 2023), as the released code builds them; spec, section 4."""
