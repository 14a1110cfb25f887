"""Networks of the suite in float32 and in bf16; no work's table."""
