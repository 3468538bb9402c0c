"""Sizing: what fits on which GPU. Pure functions over the catalog, with a source for each formula."""
