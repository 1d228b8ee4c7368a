"""The vault's public face for writing. Reading attributes is `enrichment`, for monitoring alone."""

from apps.vault.crypto import VaultError
from apps.vault.erasure import erasure_request, erasures_execute
from apps.vault.rotation import rotate_when_due
from apps.vault.uploads import OpenedUpload, UploadReceipt, attributes_upload, upload_open_next
from apps.vault.wrapping.interface import KeysUnavailable

__all__ = [
    "KeysUnavailable",
    "OpenedUpload",
    "UploadReceipt",
    "VaultError",
    "attributes_upload",
    "erasure_request",
    "erasures_execute",
    "rotate_when_due",
    "upload_open_next",
]
