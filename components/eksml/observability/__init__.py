"""Observability: what measures the cluster, its GPUs and its model servers."""
