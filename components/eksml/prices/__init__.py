"""Prices, asked of the AWS Price List: what `eksml prices refresh` does. Nothing is ever changed in an account.

How each price is found there is data of the catalog. What is found lies in a file of its own, so that what people wrote
about prices stays as it is.
"""
