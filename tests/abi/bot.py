"""How a bot in Python counts a request and puts an event on record, with the state that the website's PHP uses.

    LIBCR0SYNC=libcr0sync.so.0 python3 bot.py ROOT CLIENT

Prints whether the request of CLIENT is let in, and how many more would be.
"""

import ctypes
import json
import os
import sys


class Verdict(ctypes.Structure):
    """What a rate limit says: `cr0_rate_verdict`."""

    _fields_ = [
        ("allowed", ctypes.c_int32),
        ("limit", ctypes.c_uint32),
        ("remaining", ctypes.c_uint32),
        ("retry_after_ms", ctypes.c_int64),
        ("reset", ctypes.c_int64),
    ]


class Failure(Exception):
    """What a call could not do: `code` (CR0_ERROR_ of cr0sync.h), and in words what, where (`path`), and what to do (`hint`)."""

    def __init__(self, code, message, path, hint):
        super().__init__(message if hint is None else f"{message} ({hint})")
        self.code, self.path, self.hint = code, path, hint


class System:
    """A configuration, opened. A child of `fork` opens its own."""

    def __init__(self, root):
        self._library = ctypes.CDLL(os.environ.get("LIBCR0SYNC", "libcr0sync.so.0"))
        for name in ("cr0_error_message", "cr0_error_path", "cr0_error_hint", "cr0_report_json"):
            getattr(self._library, name).restype = ctypes.c_char_p
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
        for name in ("cr0_error_free", "cr0_report_free", "cr0_system_free"):
            getattr(self._library, name).restype = None
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
        self._system = ctypes.c_void_p()
        self._call("cr0_system_open", None, os.fsencode(root), ctypes.byref(self._system), system=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._library.cr0_system_free(self._system)
        self._system = None

    def rate_limit(self, client, tier="default", cost=1):
        """Counts a request of `client` (bytes), or refuses it."""
        if not isinstance(client, bytes):
            raise TypeError("client must be bytes")
        verdict = Verdict()
        length = ctypes.c_size_t(len(client))
        self._call("cr0_rate_limit", client, length, tier.encode(), ctypes.c_uint32(cost), ctypes.byref(verdict))
        return verdict

    def event(self, kind, details, severity="INFO", ip=None):
        """Puts something that happened on record, and returns what came of it."""
        report = ctypes.c_void_p()
        words = [text and text.encode() for text in (kind, json.dumps(details), severity, ip, None)]
        self._call("cr0_event", *words, ctypes.byref(report))
        document = json.loads(self._library.cr0_report_json(report))
        self._library.cr0_report_free(report)
        return document

    def _call(self, name, *arguments, system=True):
        error = ctypes.c_void_p()
        first = [self._system] if system else []
        code = getattr(self._library, name)(*first, *arguments, ctypes.byref(error))
        if code != 0:
            message, path, hint = (
                getattr(self._library, f"cr0_error_{what}")(error) for what in ("message", "path", "hint")
            )
            self._library.cr0_error_free(error)
            raise Failure(code, message.decode(), path and os.fsdecode(path), hint and hint.decode())


def main():
    root, client = sys.argv[1:]
    with System(root) as system:
        verdict = system.rate_limit(client.encode())
        if not verdict.allowed:
            system.event("flood", {"client": client, "retry_after_ms": verdict.retry_after_ms}, "MEDIUM")
        print(json.dumps({"allowed": bool(verdict.allowed), "remaining": verdict.remaining}))


if __name__ == "__main__":
    main()
