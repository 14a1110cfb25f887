"""Versioned changes of the store's schema, one small file each. A released one is never edited."""
