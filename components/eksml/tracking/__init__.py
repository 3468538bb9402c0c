"""What remembers experiments, runs and models."""
