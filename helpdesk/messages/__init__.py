"""The wire format: the body, parameters and response of every call, as types.

The same types check the requests (parsing.py) and describe them (openapi.py).
"""
