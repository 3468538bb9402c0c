"""Tracking: where experiments are recorded and compared."""
