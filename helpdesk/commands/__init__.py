"""What python -m helpdesk runs, one file a command."""
