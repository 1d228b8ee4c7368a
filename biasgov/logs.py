"""Logs name addresses by their pattern, since an address may hold whom a request is about."""

from __future__ import annotations

import logging


class PatternForPath(logging.Filter):
    """Django says the path of every request that it could not answer well; this says the pattern that it matched."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        match = getattr(request, "resolver_match", None)
        if request is not None and match is not None and isinstance(record.args, tuple):
            # Django escapes what it is about to say.
            paths = request.path, request.path.encode("unicode_escape").decode()
            record.args = tuple(match.route if each in paths else each for each in record.args)
        return True
