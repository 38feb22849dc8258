"""`python -m helpdesk <command>`: what is done to a desk's data beside the server."""

from __future__ import annotations

import os
import sys

from helpdesk import standard_streams

_USAGE = """\
usage: python -m helpdesk <command> [options]

commands:
  copy    bring a desk to another database, SQLite or PostgreSQL

`python -m helpdesk copy --help` says more. The server is started with `python server.py`.
"""


def main() -> int:
    """Run the command that the command line names; the exit status."""
    os.umask(0o077)  # what it writes holds what customers wrote, and is nobody else's to read
    match sys.argv[1:]:
        case ["copy", *options]:
            # Imported only now: a word that is no command need not wait for it.
            from helpdesk.commands import copy as copying

            return copying.main(options)
        case ["--help" | "-h"]:
            sys.stdout.write(_USAGE)
            return 0
        case []:
            sys.stderr.write(_USAGE)
        case [word, *_]:
            sys.stderr.write(f"helpdesk: there is no command {word!r}; see python -m helpdesk --help\n")
    return 2


if __name__ == "__main__":
    standard_streams.set_up()
    try:
        status = main()
    finally:
        standard_streams.finish()
    sys.exit(status)
