"""The limits: bare Tornado that sends the same bytes, or parses and echoes. Run as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tornado.web import Application, RequestHandler


class Bytes(RequestHandler):
    def initialize(self, body: bytes) -> None:
        self.body = body

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(self.body)


class Echo(RequestHandler):
    def post(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(json.loads(self.request.body)))


async def main(port: int, ticket: bytes, page: bytes) -> None:
    app = Application(
        [
            ("/ticket", Bytes, {"body": ticket}),
            ("/page", Bytes, {"body": page}),
            ("/api/tickets", Echo),
        ],
        log_function=lambda handler: None,
    )
    app.listen(port, "127.0.0.1")
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()))
