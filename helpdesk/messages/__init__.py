"""What crosses the wire: the body, the parameters and the answer of every call, as types.

The same types check the requests (parsing.py) and describe them (openapi.py).
"""
