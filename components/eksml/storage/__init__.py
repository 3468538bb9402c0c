"""Where pods and people keep data."""
