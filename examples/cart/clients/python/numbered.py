"""Calls that take effect once: each has a number in its session, and gRPC sends it again under that."""

import json
import secrets
import threading
from collections import OrderedDict, namedtuple

import grpc

# Sessions without a call under way whose numbers are remembered.
IDLE_SESSIONS_MAX = 4096
PARTS = ("x-voda-namespace", "x-voda-agent", "x-voda-session")
OWN = {"x-voda-call", "idempotency-key"}
RETRY = {
    "maxAttempts": 5,
    "initialBackoff": "0.5s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# For `grpc.insecure_channel(address, options=OPTIONS)`.
OPTIONS = [("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY}]}))]

Details = namedtuple("Details", "method timeout metadata credentials wait_for_ready compression")


class Numbered(grpc.UnaryUnaryClientInterceptor):
    """For `grpc.intercept_channel(channel, Numbered())`; one serves all channels of a program."""

    def __init__(self):
        self._lock = threading.Lock()
        self._sessions = OrderedDict()

    def intercept_unary_unary(self, continuation, details, request):
        metadata = list(details.metadata or [])
        known = dict(metadata)
        if OWN & known.keys():
            return continuation(details, request)
        service = details.method.rpartition("/")[0]
        numbers, seq, lowest = self._take((service, *map(known.get, PARTS)))
        metadata.append(("x-voda-call", f"{numbers['client']}.{seq}.{lowest}"))
        rest = (details.credentials, details.wait_for_ready, details.compression)
        call = continuation(Details(details.method, details.timeout, metadata, *rest), request)
        call.add_done_callback(lambda _: self._done(numbers, seq))
        return call

    def _take(self, session):
        with self._lock:
            fresh = {"client": secrets.token_hex(16), "next": 1, "open": set()}
            numbers = self._sessions.setdefault(session, fresh)
            self._sessions.move_to_end(session)
            seq = numbers["next"]
            numbers["next"] += 1
            numbers["open"].add(seq)
            # A session that is forgotten starts anew, as another client.
            while len(self._sessions) > IDLE_SESSIONS_MAX and not next(iter(self._sessions.values()))["open"]:
                self._sessions.popitem(last=False)
            return numbers, seq, min(numbers["open"])

    def _done(self, numbers, seq):
        with self._lock:
            numbers["open"].discard(seq)
