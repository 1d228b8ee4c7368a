"""A file that comes with a form: handed on as it arrives, and kept nowhere."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

from apps.common.errors import Refused
from apps.vault.services import Receiving


class Intake(FileUploadHandler):
    """Feeds the one file of a form to its receipt; what stays in the request is an empty file.

    `refused` says why the file was not taken to its end, and then the rest of it is read and dropped, so that the
    sender hears so. The form's last field, behind the file, tells that the file is complete.
    """

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest, receiving: Receiving) -> None:
        super().__init__(request)
        self._receiving = receiving
        self.refused: Refused | None = None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            self._receiving.feed(raw_data)
        except Refused as refused:
            self.refused = refused
            raise StopUpload(connection_reset=False) from None

    def file_complete(self, file_size: int) -> UploadedFile[bytes]:
        return UploadedFile(BytesIO(), name="received", size=file_size)

    def end(self) -> None:
        """The form was complete, and is one of ours. Raises Refused where the file cannot be used."""
        if self.refused is not None:
            raise self.refused
        self._receiving.end()


def intake(request: Any, receiving: Receiving) -> Intake:
    """Have the request's file go to its receipt; before anything of the request is read."""
    handler = Intake(request, receiving)
    request.upload_handlers = [handler]
    return handler
