"""HelpDesk Mini. `python server.py` starts the demo; `python server.py --help` lists the settings."""

from __future__ import annotations

import asyncio
import os
import sys

from helpdesk import config, standard_streams
from helpdesk.errors import StartError


def main() -> int:
    """Run the server until SIGTERM or SIGINT; the exit status."""
    standard_streams.set_up()
    os.umask(0o077)  # what it writes holds what customers wrote, and is nobody else's to read
    try:
        settings = config.load(sys.argv[1:], os.environ)
        # Imported only now: `--help` and a bad option need not wait for it.
        from helpdesk.limits.admission import claim_descriptors
        from helpdesk.serve import serve

        claim_descriptors()
        return asyncio.run(serve(settings))
    except StartError as error:
        standard_streams.write_line(sys.stderr, f"server.py: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        return 0  # before the loop listens for signals
    finally:
        standard_streams.finish()


if __name__ == "__main__":
    sys.exit(main())
