# SPDX-License-Identifier: Apache-2.0
"""receiver.py - the other side of a run: an HTTP server on the loopback that keeps what it
got and answers with it, so that an echoed secret has to be found in the answer."""
import http.server
import json
import threading


class Receiver:
    def __init__(self):
        receiver = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                receiver.requests.append(
                    (self.command, self.path, dict(self.headers.items()), body))
                answer = {"tier": "gold", "echo": {"path": self.path, "body": body,
                                                   "headers": dict(self.headers.items())}}
                data = json.dumps(answer).encode()
                status = 500 if self.path.startswith("/broken") else 200
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
