# SPDX-License-Identifier: Apache-2.0
"""listeners.py - the servers that must not get a value: each keeps every byte that anybody sent to it.

The one that may (tests/cli/receiver.py) listens on 127.0.0.1; these listen on 127.0.0.2, another host to a policy.
"""
import socket
import threading

TIME_LIMIT_S = 5


class Listener:
    """Takes connections, keeps what comes, and answers once there is a line; `answer` is sent as it is."""

    def __init__(self, host="127.0.0.2", answer=b"HTTP/1.1 204 No Content\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"):
        self.answer = answer
        self.received = []  # bytes of each connection
        self.socket = socket.create_server((host, 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.received.append(b"")
            with connection:
                connection.settimeout(TIME_LIMIT_S)
                self._read(connection)

    def _read(self, connection):
        is_answered = False
        try:
            while data := connection.recv(65536):
                self.received[-1] += data
                if not is_answered and b"\n" in self.received[-1]:
                    is_answered = True
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                elif not self.received[-1].startswith((b"G", b"P", b"D", b"C")):
                    return  # not HTTP: a handshake that nobody answers
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(TIME_LIMIT_S)
