# SPDX-License-Identifier: Apache-2.0
"""drive_denied.py - requests that are refused, go astray or end elsewhere: what the other server got.

Surface.denied keeps what was sent to 127.0.0.2, the host that no value may go to. Each case returns how many
connections it may have had; whatever came over them is searched like everything else.
"""
import json

from listeners import Listener


def _run(surface, perform, *more, process=None, codes=(1,), **popen):
    document = {"name": "denied", "example_payload": {"x": 1}, "perform": perform}
    if process:
        document["process"] = process
    return surface.run_it("--json", "run", surface.write("d.json", json.dumps(document)), *more, codes=codes, **popen)


def host_of_policy(surface, name):
    surface.must("secret", "policy", name, "--hosts", "127.0.0.1")
    _run(surface, {"url": f"http://{surface.denied.address}/x", "body": f"$secret.{name}"}, "--allow-private")
    return 0


def lookup_of_policy(surface, name):
    surface.must("secret", "policy", name, "--hosts", "127.0.0.1")
    _run(surface, {"url": surface.target.url + "/x"}, "--allow-private",
         process={"lookup": {"url": f"http://{surface.denied.address}/l", "query": {"k": f"base64Encode($secret.{name})"}}})
    return 0


def position_of_policy(surface, name):
    surface.must("secret", "policy", name, "--positions", "header", "--hosts", "any")
    _run(surface, {"url": f"http://{surface.denied.address}/x?q=$secret.{name}"}, "--allow-private")
    return 0


def expired(surface, name):
    surface.must("secret", "policy", name, "--expires", "2020-01-31", "--positions", "any")
    _run(surface, {"url": f"http://{surface.denied.address}/x", "body": f"$secret.{name}"}, "--allow-private")
    return 0


def private_address(surface, name):
    _run(surface, {"url": f"http://{surface.denied.address}/x", "body": f"$secret.{name}"})
    return 0


def another_secret_missing(surface, name):
    _run(surface, {"url": f"http://{surface.denied.address}/x", "body": [f"$secret.{name}", "$secret.NOT_THERE"]}, "--allow-private")
    return 0


def proxies_of_the_environment(surface, name):
    proxy = "http://" + surface.denied.address
    _run(surface, {"url": surface.target.url + "/x", "body": f"$secret.{name}"}, "--allow-private", codes=(0,),
         env=surface.environment(http_proxy=proxy, HTTP_PROXY=proxy, all_proxy=proxy, ALL_PROXY=proxy, https_proxy=proxy))
    return 0


def redirect(surface, name):
    """The one that may get it sends us on to the one that may not."""
    moved = Listener("127.0.0.1", b"HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nLocation: http://%s/y\r\nContent-Length: 0\r\n\r\n"
                     % surface.denied.address.encode())
    surface.must("secret", "policy", name, "--hosts", "127.0.0.1")
    _run(surface, {"url": f"http://{moved.address}/x", "body": f"$secret.{name}"}, "--allow-private", codes=(0, 1))
    moved.close()
    assert len(moved.received) > 0, "the redirect was never asked"
    return 0


def no_tls(surface, name):
    """A handshake, which nobody answers; what would follow it holds the value."""
    _run(surface, {"url": f"https://{surface.denied.address}/$secret.{name}", "body": f"$secret.{name}"}, "--allow-private")
    return 4


CASES = (host_of_policy, lookup_of_policy, position_of_policy, expired, private_address, another_secret_missing,
         proxies_of_the_environment, redirect, no_tls)


def deny(surface, number, name):
    """One of the cases, by number; afterwards the secret may go anywhere again."""
    case = CASES[number % len(CASES)]
    before = len(surface.denied.received)
    allowed = case(surface, name)
    got = len(surface.denied.received) - before
    assert got <= allowed, f"{case.__name__}: {got} connections to a server that may have {allowed}"
    surface.must("secret", "policy", name, "--hosts", "any", "--positions", "any", "--expires", "never")
    return case.__name__
