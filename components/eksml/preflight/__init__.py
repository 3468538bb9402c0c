"""Preflight: what a Plan needs, asked of the account and of this machine before `pulumi up`. Nothing is ever written.

A file for each kind of question. Each has `questions`, which derives from a Plan what is to be asked; `run` asks all of
them at once.
"""
