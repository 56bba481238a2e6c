"""Runs untrusted programs: the pool, the guest, the backends and what they need installed."""
