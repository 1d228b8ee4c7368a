"""The vault's public face for writing. Reading attributes is `enrichment`, for monitoring alone."""

from apps.vault.access import (
    LEGAL_BASES,
    access_ask,
    access_end,
    access_request,
    access_show,
    accesses_advance,
    step_announced,
)
from apps.vault.crypto import DisclosedSubject, VaultError, fresh_key_pair
from apps.vault.disclosing import accesses_answer
from apps.vault.erasure import erasure_ask, erasure_request, erasures_execute, erasures_forget
from apps.vault.opening import OpenedUpload, opening_alone, upload_finish, upload_open_next, upload_store_some
from apps.vault.receiving import Receiving, upload_begin, upload_withdraw, uploads_forget
from apps.vault.rotation import keys_report, rotate_when_due
from apps.vault.uploads import UploadReceipt, attributes_upload
from apps.vault.wrapping.interface import KeysUnavailable

__all__ = [
    "LEGAL_BASES",
    "DisclosedSubject",
    "KeysUnavailable",
    "OpenedUpload",
    "Receiving",
    "UploadReceipt",
    "VaultError",
    "access_ask",
    "access_end",
    "access_request",
    "access_show",
    "accesses_advance",
    "accesses_answer",
    "attributes_upload",
    "erasure_ask",
    "erasure_request",
    "erasures_execute",
    "erasures_forget",
    "fresh_key_pair",
    "keys_report",
    "opening_alone",
    "rotate_when_due",
    "step_announced",
    "upload_begin",
    "upload_finish",
    "upload_open_next",
    "upload_store_some",
    "upload_withdraw",
    "uploads_forget",
]
