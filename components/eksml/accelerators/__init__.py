"""What makes GPUs usable and visible to Kubernetes."""
