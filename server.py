"""HelpDesk Mini. `python server.py` starts the demo; `python server.py --help` lists the settings."""

from __future__ import annotations

import asyncio
import os
import sys

from helpdesk import config
from helpdesk.errors import StartError


def main() -> int:
    """Run the server until SIGTERM or SIGINT; the exit status."""
    try:
        settings = config.load(sys.argv[1:], os.environ)
        # Imported only now: `--help` and a bad option need not wait for it.
        from helpdesk.serve import serve

        return asyncio.run(serve(settings))
    except StartError as error:
        print(f"server.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
