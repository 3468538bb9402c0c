"""Notebooks for people: a hub, what it offers them, and how they sign in."""
