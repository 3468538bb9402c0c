"""Serving: model servers of every engine in one vocabulary, what scales, reaches and replaces them."""
