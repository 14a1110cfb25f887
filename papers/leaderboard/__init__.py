"""All neurons on the same tasks under one recipe; no work's table."""
