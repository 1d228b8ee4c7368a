"""The vault's public face for writing. Reading attributes is `enrichment`, for monitoring alone."""

from apps.vault.crypto import VaultError
from apps.vault.erasure import erasure_request, erasures_execute
from apps.vault.opening import OpenedUpload, opening_alone, upload_finish, upload_open_next, upload_store_some
from apps.vault.receiving import Receiving, upload_begin, upload_withdraw, uploads_forget
from apps.vault.rotation import rotate_when_due
from apps.vault.uploads import UploadReceipt, attributes_upload
from apps.vault.wrapping.interface import KeysUnavailable

__all__ = [
    "KeysUnavailable",
    "OpenedUpload",
    "Receiving",
    "UploadReceipt",
    "VaultError",
    "attributes_upload",
    "erasure_request",
    "erasures_execute",
    "opening_alone",
    "rotate_when_due",
    "upload_begin",
    "upload_finish",
    "upload_open_next",
    "upload_store_some",
    "upload_withdraw",
    "uploads_forget",
]
