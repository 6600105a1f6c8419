#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""redact_ctypes.py - the redactor from another language, here Python's ctypes: no module to compile.

usage: redact_ctypes.py [PATH OF libkrosyn.so]

Shows a logging.Filter that redacts every record, and a stream over pieces.
"""
import ctypes
import logging
import sys


class Str(ctypes.Structure):  # kr_str
    _fields_ = [("ptr", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    def bytes(self):
        return ctypes.string_at(self.ptr, self.len) if self.len else b""


class Error(ctypes.Structure):  # kr_error
    _fields_ = [("status", ctypes.c_int), ("code", ctypes.c_uint16), ("span_offset", ctypes.c_size_t),
                ("span_len", ctypes.c_size_t), ("source", ctypes.c_char * 64),
                ("message", ctypes.c_char * 256), ("hint", ctypes.c_char * 256)]


class Value(ctypes.Structure):  # kr_redactor_value
    _fields_ = [("name", Str), ("value", Str), ("version", ctypes.c_uint32), ("min_search", ctypes.c_uint32)]


class Result(ctypes.Structure):  # kr_redactor_result
    _fields_ = [("bytes", Str), ("n_markers", ctypes.c_uint64), ("is_unchanged", ctypes.c_bool),
                ("is_withheld", ctypes.c_bool)]


Write = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, Str)
KR_OK, KR_INVALID, KR_IO = 0, 3, 12


def borrowed(data):
    """A kr_str over bytes; the bytes object must live as long as the call."""
    return Str(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data))


class Redactor:
    """Values that are removed from records and streams; more may be added at any time, by any thread.

    redact() uses one scratch, so it is for one thread: give each thread an object of its own
    (made with the same underlying redactor), or hold a lock as logging does.
    """

    def __init__(self, path="libkrosyn.so"):
        self.library = ctypes.CDLL(path)
        handle, reference = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
        error = ctypes.POINTER(Error)
        for name, arguments in {
                "kr_redactor_new": [handle, reference, error],
                "kr_redactor_add_value": [handle, ctypes.POINTER(Value), error],
                "kr_redactor_scratch_new": [handle, handle, reference, error],
                "kr_redactor_json": [handle, Str, ctypes.POINTER(Result), error],
                "kr_redactor_bytes": [handle, Str, ctypes.POINTER(Result), error],
                "kr_filter_new_on": [handle, handle, Write, handle, reference, error],
                "kr_filter_feed": [handle, Str, error],
                "kr_filter_finish": [handle, error]}.items():
            function = getattr(self.library, name)
            function.argtypes, function.restype = arguments, ctypes.c_int
        for name in ("kr_redactor_free", "kr_redactor_scratch_free", "kr_filter_free"):
            getattr(self.library, name).argtypes = [handle]
            getattr(self.library, name).restype = None
        self.handle, self.scratch = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("kr_redactor_new", None, ctypes.byref(self.handle))
        self.call("kr_redactor_scratch_new", self.handle, None, ctypes.byref(self.scratch))

    def call(self, name, *arguments):
        error = Error()
        if getattr(self.library, name)(*arguments, ctypes.byref(error)) != KR_OK:
            raise RuntimeError(error.message.decode())

    def close(self):
        self.library.kr_redactor_scratch_free(self.scratch)
        self.library.kr_redactor_free(self.handle)

    def add(self, name, value):
        name, value = name.encode(), value.encode()
        self.call("kr_redactor_add_value", self.handle,
                  ctypes.byref(Value(borrowed(name), borrowed(value), 1)))

    def redact(self, data, is_json=False):
        result = Result()
        self.call("kr_redactor_json" if is_json else "kr_redactor_bytes", self.scratch, borrowed(data),
                  ctypes.byref(result))
        return data if result.is_unchanged else result.bytes.bytes()

    def stream(self, pieces, take):
        """Feed pieces, cut anywhere; take(bytes) gets what is decided, as soon as it is."""
        def write(_, piece):
            try:
                take(piece.bytes())
            except Exception:  # an exception must not pass through C
                return KR_IO
            return KR_OK

        callback, handle = Write(write), ctypes.c_void_p()
        self.call("kr_filter_new_on", self.handle, None, callback, None, ctypes.byref(handle))
        try:
            for piece in pieces:
                self.call("kr_filter_feed", handle, borrowed(piece))
            self.call("kr_filter_finish", handle)
        finally:
            self.library.kr_filter_free(handle)


class RedactingFilter(logging.Filter):
    def __init__(self, redactor):
        super().__init__()
        self.redactor = redactor

    def filter(self, record):
        record.msg = self.redactor.redact(record.getMessage().encode()).decode("utf-8", "replace")
        record.args = None
        return True


def main():
    redactor = Redactor(sys.argv[1] if len(sys.argv) > 1 else "libkrosyn.so")
    redactor.add("PASSWORD", "example-password")
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(RedactingFilter(redactor))
    logging.getLogger().addHandler(handler)
    logging.warning("login with %s", "example-password")
    redactor.add("SESSION", "session/4711")
    logging.warning("GET https://api.example.com/?s=%s", "session%2F4711")
    print(redactor.redact(b'{"key": "example-\\u0070assword", "n": 1}', is_json=True).decode())
    redactor.stream([b"stream: exam", b"ple-pass", b"word, and example-pass"],
                    lambda piece: sys.stdout.write(piece.decode()))
    print()
    redactor.close()


if __name__ == "__main__":
    main()
