"""Copying a desk from one database to another."""
