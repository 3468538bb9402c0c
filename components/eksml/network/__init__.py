"""The network that a cluster lives in."""
