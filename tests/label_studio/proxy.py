"""What lies between a run and its server: it passes requests on, and lets a fault happen at a given one."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DROPPED = ('connection', 'keep-alive', 'transfer-encoding', 'content-length')


@dataclass
class Fault:
    """Something that happens once.

    Attributes:
        request: Method and a part of the path, e.g. 'POST /import'.
        number: At which such request, from 1.
        when: 'during': while the server works on it. 'answered': the server has answered, and nobody hears it.
            'half': half of the answer got through.
        do: What happens; the connection is lost then.
    """
    request: str
    number: int
    when: str
    do: Callable[[], None]
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        wanted, part = self.request.split(' ', 1)
        self.seen += (hit := method == wanted and part in path)
        return hit and self.seen == self.number


class Proxy:
    """Listens at ``url`` and passes on to a port of this machine.

    Attributes:
        fault: The next fault, if any.
        delay: Seconds that each answer takes longer.
    """

    def __init__(self, port: int) -> None:
        self.fault: Fault | None = None
        self.delay = 0.0
        handler = type('Handler', (_Handler, ), dict(proxy=self, port=port))
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self.url = f'http://127.0.0.1:{self._server.server_address[1]}'
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    port: int

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        fault = self.proxy.fault
        strikes = fault is not None and fault.strikes(self.command, self.path)
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, {k: v for k, v in self.headers.items()
                                                              if k.lower() not in DROPPED})
            if strikes and fault.when == 'during':
                time.sleep(0.1)
                fault.do()
                return
            answer = connection.getresponse()
            content = answer.read()
            time.sleep(self.proxy.delay)
        except OSError:
            return  # the client sees a lost connection
        finally:
            connection.close()
        if strikes and fault.when == 'answered':
            fault.do()
            return
        with suppress(OSError):  # who asked may be gone
            self._give(answer, content, len(content) // 2 if strikes else len(content))
        if strikes:
            fault.do()

    def _give(self, answer: http.client.HTTPResponse, content: bytes, length: int) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content[:length])
        self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = _pass

    def log_message(self, *args) -> None:
        pass
