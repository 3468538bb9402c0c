"""Training: jobs of every framework in one vocabulary, and what runs them."""
