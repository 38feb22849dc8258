"""HelpDesk Mini: a ticketing server in one Python process."""

__version__ = "1.0.0"
