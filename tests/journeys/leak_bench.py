# SPDX-License-Identifier: Apache-2.0
"""leak_bench.py - a home, a receiver that answers whatever a test wants, and a search of everything.

Every byte that the command prints, the stored events (as serialised, every decoded key and leaf, and
what stands in {"base64"}) and every file of the home are searched for every saved value of 4 bytes or
more, in the forms of tests/support/search_home.py.
"""
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.dont_write_bytecode = True
from search_home import find, search  # noqa: E402

TIME_LIMIT_S = 120
MIN_SEARCH_BYTES = 4


class Request:
    def __init__(self, head, body):
        lines = head.split(b"\r\n")
        self.all = head + b"\r\n\r\n" + body
        self.line = lines[0]
        self.target = lines[0].split(b" ")[1] if lines[0].count(b" ") == 2 else b""
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.headers.setdefault(name.strip().lower(), value.strip())
        self.body = body


def answer(body=b"{}", headers=((b"Content-Type", b"application/json"),), status=b"200 OK", length=None):
    """Bytes of an answer; length may lie."""
    lines = [b"HTTP/1.1 " + status]
    lines += [name + b": " + value for name, value in headers]
    lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Receiver:
    """On loopback; one connection, one request, one answer. respond: Request -> bytes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.respond = lambda request: answer()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(connection,), daemon=True).start()

    def serve_one(self, connection):
        with connection:
            try:
                connection.settimeout(20)
                self.exchange(connection)
            except OSError:
                pass  # the other side may stop reading when it has enough

    def exchange(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            got = connection.recv(65536)
            if not got:
                return
            data += got
        head, _, body = data.partition(b"\r\n\r\n")
        request = Request(head, body)
        wanted = int(request.headers.get(b"content-length", b"0"))
        while len(body) < wanted:
            got = connection.recv(1 << 20)
            if not got:
                return
            body += got
        request = Request(head, body)
        self.requests.append(request)
        connection.sendall(self.respond(request))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    def close(self):
        self.listener.close()


def leaves(value):
    """Every decoded key, string and number; what is kept as base64 also decoded."""
    if isinstance(value, dict):
        if set(value) == {"base64"} and isinstance(value["base64"], str):
            yield base64.b64decode(value["base64"] + "==")
        for key, item in value.items():
            yield key.encode()
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        yield value.encode("utf-8", "surrogatepass")
    else:
        yield json.dumps(value).encode()


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Bench:
    def __init__(self, krosyn):
        self.krosyn = os.path.abspath(krosyn)
        self.folder = tempfile.mkdtemp(prefix="krosyn-leaks-")
        self.home = os.path.join(self.folder, "home")
        self.values = {}  # saved, by name
        self.printed = []  # (what, bytes)
        self.receiver = Receiver()
        kept = ("PATH", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
        self.environment = {k: v for k, v in os.environ.items() if k in kept}
        self.environment.update(HOME=self.folder, NO_COLOR="1")
        self.must("init")

    def close(self):
        self.receiver.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *arguments, given=b"", is_searched=True, with_home=True):
        home = ["--home", self.home, "--key", os.path.join(self.folder, "keys", "a.key")] if with_home else []
        done = subprocess.run([self.krosyn, *home, *arguments], input=given, capture_output=True,
                              env=self.environment, timeout=TIME_LIMIT_S, check=False)
        if is_searched:
            self.printed.append((b"stdout of " + arguments[0].encode(), done.stdout))
            self.printed.append((b"stderr of " + arguments[0].encode(), done.stderr))
        assert done.returncode in (0, 1, 2, 3), (arguments, done.returncode, done.stderr)
        assert b"Sanitizer" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.code == 0, (arguments, done.code, done.err)
        return done

    def save(self, name, value, *more):
        path = os.path.join(self.folder, "value")
        with open(path, "wb") as out:
            out.write(value)
        self.must("secret", "set", name, "--file", path, *more)
        os.unlink(path)
        self.values[name] = value

    def write(self, name, document):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    def url(self, path):
        return f"http://127.0.0.1:{self.receiver.port}{path}"

    def connector(self, document):
        """URL in texts stands for the receiver."""
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.write("connector.json", text.replace(b"URL/", self.url("/").encode()))

    def run_connector(self, document, payload=None, *more):
        """Runs it twice over: printed for people, and as JSON. The event of the second."""
        arguments = ["run", self.connector(document), "--allow-private", *more]
        if payload is not None:
            arguments += ["--payload", self.write("payload.json", payload)]
        self.run(*arguments)
        done = self.run(*arguments, "--json")
        event = json.loads(done.out) if done.out else None
        if event is not None and "id" in event:
            shown = self.must("events", "show", event["id"], "--json")
            assert json.loads(shown.out) == event, "the stored event is not the printed one"
            self.printed.append((b"leaves of the event", b"\xff".join(leaves(event))))
            self.must("events", "list")
            self.must("events", "list", "--json")
        return event, done

    def leaks(self, more=None):
        """What was found and where; `more` are values beside the saved ones, e.g. derived ones."""
        values = {n: v for n, v in {**self.values, **(more or {})}.items() if len(v) >= MIN_SEARCH_BYTES}
        found = {f"{name} as {form} in {what.decode()}" for what, data in self.printed
                 for name, form in find(data, values)}
        for name, form, path, _ in search([self.home], values):
            found.add(f"{name} as {form} in {os.path.relpath(path, self.home)}")
        return sorted(found)
