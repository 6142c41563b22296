"""A server that is far away: a TCP proxy that hands everything on after half a round trip."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

__all__ = ["DelayProxy"]

_CHUNK = 1 << 16


class DelayProxy:
    """Listens on a port of its own and passes bytes on, both ways, each after half of ``milliseconds``.

    Parameters
    ----------
    port : int
        Of the server on this machine.
    milliseconds : float
        Round trip.
    """

    def __init__(self, port: int, *, milliseconds: float) -> None:
        self._target, self._wait = port, milliseconds / 2000
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        with suppress(asyncio.CancelledError):  # or the server's own callback raises it again when all is closed
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Read on while earlier bytes wait, so that delay costs no throughput."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.ensure_future(self._send(waiting, target))
        try:
            while data := await source.read(_CHUNK):
                waiting.put_nowait((self._loop.time() + self._wait, data))
        finally:
            waiting.put_nowait((0.0, b""))
            with suppress(asyncio.CancelledError):
                await sender

    async def _send(self, waiting: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter) -> Any:
        while True:
            due, data = await waiting.get()
            if not data:
                target.close()
                return
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            target.write(data)
            await target.drain()

    def close(self) -> None:
        """Stop listening and drop what is open."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        open_ones = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
