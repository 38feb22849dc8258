"""The store: the only floor that knows SQL. One file of queries per noun."""
