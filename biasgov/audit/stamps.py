"""RFC 3161 time stamps on tree heads: making a request, and checking what an authority answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)


class StampError(Exception):
    """A time stamp does not show what it should."""


def request_for(message: bytes) -> TimeStampRequest:
    """A request for a stamp over SHA-256 of `message`, with a nonce; its `as_bytes()` is what is sent."""
    asked = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    return asked.nonce(nonce=True).cert_request(cert_request=True).build()


def check_stamp(
    answer: bytes,
    message: bytes,
    roots: Sequence[x509.Certificate],
    *,
    request: TimeStampRequest | None = None,
) -> datetime:
    """When, by an authority under one of `roots`, `message` existed.

    With the `request` its nonce and policy are compared too. Raises StampError for any answer that does not show it.
    """
    try:
        decoded = decode_timestamp_response(answer)
        if decoded.status != PKIStatus.GRANTED:
            raise StampError(f"the authority refused: {'; '.join(decoded.status_string) or 'without a reason'}")
        for root in roots:
            builder = VerifierBuilder.from_request(request) if request else VerifierBuilder()
            try:
                builder.add_root_certificate(root).build().verify_message(decoded, message)
            except VerificationError as error:
                problem = str(error)
            else:
                return decoded.tst_info.gen_time
        raise StampError(f"the time stamp is not accepted: {problem}" if roots else "no root certificate is given")
    except ValueError as error:
        raise StampError(f"the time stamp cannot be read: {error}") from None


def read_roots(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises StampError if there is none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise StampError("the file of root certificates holds no certificate in PEM") from None
