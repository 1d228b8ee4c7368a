"""The key-encryption key in a file, in OpenBao and in AWS KMS: a data key opens as itself or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from django.core.management import CommandError, call_command

from apps.pipeline.services import _reported
from apps.vault import keys, rotation
from apps.vault.crypto import VaultError
from apps.vault.purpose import entering
from apps.vault.wrapping import choice
from apps.vault.wrapping.aws_kms import KmsKey
from apps.vault.wrapping.choice import check_key_encryption, key_encryption
from apps.vault.wrapping.interface import KeyEncryption, KeysUnavailable, WrappedKey
from tests.apps.vault import services
from tests.apps.vault.double import SAYS_SO, NotEncrypting
from tests.apps.vault.keys import own_key_file
from tests.apps.vault.services import Bao, configure, use_kms, use_transit
from tests.apps.vault.test_rotation import TRUTH, fill, read
from tests.sides import side

DATA_KEY = bytes(range(32))
Using = Callable[[str], KeyEncryption]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with services.bao(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture(scope="module")
def kms() -> Iterator[Any]:
    with services.moto() as client:
        yield client


@pytest.fixture
def using(server: Bao, kms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Using]:
    """Chooses where the key-encryption key is."""
    own_key_file(tmp_path, monkeypatch)

    def choose(kind: str) -> KeyEncryption:
        if kind == "transit":
            use_transit(server, tmp_path, monkeypatch)
        elif kind == "aws-kms":
            use_kms(kms, monkeypatch)
        else:
            configure(monkeypatch, KEY_ENCRYPTION=kind)
        return key_encryption()

    yield choose
    services.forget()
    keys._unwrapped.cache_clear()


every = pytest.mark.parametrize("kind", ["file", "transit", "aws-kms"])


@every
def test_a_wrapped_data_key_opens_only_as_itself(using: Using, kind: str) -> None:
    wrapping = using(kind)
    wrapped = wrapping.wrap(DATA_KEY, version=3)
    assert wrapping.unwrap(wrapped, version=3) == DATA_KEY
    assert wrapped.wrapped_by == wrapping.key_id()
    assert DATA_KEY not in wrapped.content
    assert wrapping.wrap(DATA_KEY, version=3).content != wrapped.content
    with pytest.raises(VaultError):
        wrapping.unwrap(wrapped, version=4)
    refused = 0
    for place in range(0, len(wrapped.content), 5):
        content = bytearray(wrapped.content)
        content[place] ^= 1
        # Transit writes version 1 as 0 too, and base64 has bits that mean nothing; AWS then names another key.
        try:
            assert wrapping.unwrap(WrappedKey(bytes(content), wrapped.wrapped_by), version=3) == DATA_KEY
        except (VaultError, KeysUnavailable):
            refused += 1
    assert refused > len(wrapped.content) // 5 - 3


@every
def test_what_an_earlier_version_wrapped_still_opens_and_a_cut_short_change_makes_no_further_one(
    using: Using, kind: str
) -> None:
    wrapping = using(kind)
    before = wrapping.wrap(DATA_KEY, version=1)
    with wrapping.renewing(unfinished=False) as renewed:
        after = renewed.wrap(DATA_KEY, version=1)
        assert wrapping.unwrap(before, version=1) == DATA_KEY
    assert wrapping.unwrap(after, version=1) == DATA_KEY
    assert wrapping.key_id() == after.wrapped_by
    with wrapping.renewing(unfinished=True) as renewed:
        assert renewed.key_id() == after.wrapped_by


@every
def test_a_key_that_is_there_passes_the_check(
    using: Using, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    using(kind)
    monkeypatch.setattr(choice.settings, "SIDE", "compute")
    assert check_key_encryption() == []


@every
@pytest.mark.django_db
def test_the_vault_works_and_changes_its_key_under_each(using: Using, kind: str) -> None:
    using(kind)
    fill()
    assert read() == TRUTH
    before = stored()
    with side("compute"):
        new = rotation.key_encryption_rotate()
    keys._unwrapped.cache_clear()
    assert read() == TRUTH
    after = stored()
    assert {wrapped.wrapped_by for wrapped in after} == {new} == {key_encryption().key_id()}
    assert {wrapped.content for wrapped in before}.isdisjoint(wrapped.content for wrapped in after)


@pytest.mark.django_db
def test_the_key_moves_from_the_file_to_a_service_and_on(using: Using) -> None:
    using("file")
    fill()
    for kind in ("transit", "aws-kms", "file"):
        using(kind)
        keys._unwrapped.cache_clear()
        assert read() == TRUTH, "what another key wrapped is still asked for there"
        with side("compute"):
            rotation.key_encryption_rotate()
        assert {wrapped.wrapped_by for wrapped in stored()} == {key_encryption().key_id()}
        keys._unwrapped.cache_clear()
        assert read() == TRUTH


@pytest.mark.django_db
def test_the_worker_follows_a_service_that_has_rotated_its_key(using: Using, server: Bao) -> None:
    using("transit")
    fill()
    server.root.secrets.transit.rotate_key(name="biasgov")
    with side("compute"):
        rotation.rotate_when_due(seconds=1)
    assert {wrapped.wrapped_by for wrapped in stored()} == {key_encryption().key_id()}


@pytest.mark.django_db
def test_the_worker_never_moves_keys_by_itself(using: Using) -> None:
    using("file")
    fill()
    using("transit")
    with side("compute"):
        rotation.rotate_when_due(seconds=1)
    assert all(wrapped.wrapped_by.startswith("local:") for wrapped in stored())


@pytest.mark.django_db
def test_an_unreachable_service_makes_reads_wait_and_says_so(
    using: Using, server: Bao, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    using("transit")
    fill()
    keys._unwrapped.cache_clear()
    configure(monkeypatch, TRANSIT_URL="http://127.0.0.1:9")
    with pytest.raises(KeysUnavailable, match="does not answer"):
        read()
    with _reported("counting"):
        read()
    assert "counting failed: http://127.0.0.1:9 does not answer" in caplog.text
    with side("compute"), pytest.raises(CommandError, match="does not answer"):
        call_command("rotate_keys", kek=True)
    configure(monkeypatch, TRANSIT_URL=server.address)
    assert read() == TRUTH


@pytest.mark.parametrize(
    ("key", "options", "said"),
    [
        ("exported", {"exportable": True}, "can be exported"),
        ("backed-up", {"allow_plaintext_backup": True}, "can be backed up in plain text"),
        ("derived", {"derived": True}, "is derived"),
        ("chacha", {"key_type": "chacha20-poly1305"}, "is not of the type aes256-gcm96"),
    ],
)
def test_a_transit_key_that_could_leave_or_is_of_another_kind_is_refused(
    server: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, options: dict[str, Any], said: str
) -> None:
    server.root.secrets.transit.create_key(name=key, **options)
    use_transit(server, tmp_path, monkeypatch, key)
    assert said in complaint(monkeypatch)


def test_a_kms_key_that_cannot_encrypt_is_refused(kms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    disabled = use_kms(kms, monkeypatch)
    kms.disable_key(KeyId=disabled.rpartition("/")[2])
    assert "is disabled" in complaint(monkeypatch)
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    configure(monkeypatch, KMS_KEY=signing)
    assert "not a symmetric key" in complaint(monkeypatch)
    configure(monkeypatch, KMS_KEY="alias/nobody")
    assert "no usable key alias/nobody" in complaint(monkeypatch)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"KEY_ENCRYPTION": "rot13"}, "BIASGOV_KEY_ENCRYPTION='rot13' is none of file, transit, aws-kms."),
        ({"KEY_ENCRYPTION": "test-double"}, "is none of file, transit, aws-kms"),
        ({"KEY_ENCRYPTION": "aws-kms"}, "BIASGOV_KMS_KEY is not set"),
        ({"KEY_ENCRYPTION": "transit"}, "BIASGOV_TRANSIT_URL is not set"),
        (
            {
                "KEY_ENCRYPTION": "transit",
                "TRANSIT_URL": "http://vault.example.org",
                "TRANSIT_KEY": "biasgov",
                "TRANSIT_TOKEN_FILE": "/nowhere",
            },
            "must begin with https://",
        ),
        (
            {
                "KEY_ENCRYPTION": "transit",
                "TRANSIT_URL": "https://vault.example.org",
                "TRANSIT_KEY": "biasgov",
                "TRANSIT_TOKEN_FILE": "/nowhere",
            },
            "/nowhere",
        ),
    ],
)
def test_what_the_environment_leaves_out_stops_the_compute_side(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], said: str
) -> None:
    configure(monkeypatch, **given)
    assert said in complaint(monkeypatch)


def test_a_token_that_others_may_read_or_that_is_not_ours_is_refused(
    server: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = use_transit(server, tmp_path, monkeypatch)
    token.chmod(0o644)
    assert "readable by others" in complaint(monkeypatch)
    token.chmod(0o600)
    token.write_text("s.guessed")
    monkeypatch.setattr(choice.settings, "SIDE", "compute")
    (found,) = check_key_encryption()
    assert found.id == "biasgov.W010"
    assert "does not let our token use" in found.msg
    assert "guessed" not in found.msg


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = own_key_file(tmp_path, monkeypatch)
    path.chmod(0o640)
    assert complaint(monkeypatch) == ""
    path.chmod(0o644)
    assert "readable by others" in complaint(monkeypatch)


def test_a_kms_key_is_named_with_its_material_and_a_change_waits_until_another_is_in_use() -> None:
    """Moto names no materials; the answers here are checked against the service's own description."""
    client = boto3.client(
        "kms", region_name="eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    old, new = "a" * 64, "b" * 64
    with Stubber(client) as stub:
        described = {"KeyId": arn.rpartition("/")[2], "Arn": arn}
        for material in (old, old):
            stub.add_response("describe_key", {"KeyMetadata": described | {"CurrentKeyMaterialId": material}})
        stub.add_response("rotate_key_on_demand", {"KeyId": described["KeyId"]})
        stub.add_response("describe_key", {"KeyMetadata": described | {"CurrentKeyMaterialId": new}})
        stub.add_response("encrypt", {"CiphertextBlob": b"sealed", "KeyId": arn})
        stub.add_response("decrypt", {"Plaintext": DATA_KEY, "KeyId": arn, "KeyMaterialId": new})
        wrapping = KmsKey(arn)
        wrapping._client = client
        with wrapping.renewing(unfinished=False) as renewed:
            assert renewed.wrap(DATA_KEY, version=1) == WrappedKey(b"sealed", f"aws-kms:{arn}@{new}")
        stub.assert_no_pending_responses()
    client.close()


@pytest.mark.django_db
def test_a_data_key_is_unwrapped_once_in_a_quarter_of_an_hour(using: Using, monkeypatch: pytest.MonkeyPatch) -> None:
    double = NotEncrypting()
    monkeypatch.setattr(choice, "_implementation", lambda scheme: double)
    monkeypatch.setattr(choice, "CHOICES", {"file": "test-double"})
    fill()
    keys._unwrapped.cache_clear()
    double.asked = 0
    for _ in range(3):
        assert read() == TRUTH
    assert double.asked == 1
    (held,) = stored()
    assert held.content.startswith(SAYS_SO)
    later = keys.time.monotonic() + keys.KEPT
    monkeypatch.setattr(keys.time, "monotonic", lambda: later)
    assert read() == TRUTH
    assert double.asked == 2


def complaint(monkeypatch: pytest.MonkeyPatch) -> str:
    """What stops the compute side from starting; nothing: ""."""
    monkeypatch.setattr(choice.settings, "SIDE", "compute")
    found = check_key_encryption()
    assert all(each.id == "biasgov.E010" for each in found)
    return "; ".join(str(each.msg) for each in found)


def stored() -> list[WrappedKey]:
    with side("compute"), entering("keys") as cursor:
        cursor.execute("SELECT wrapped, wrapped_by FROM vault.data_key ORDER BY version")
        return [WrappedKey(bytes(content), by) for content, by in cursor.fetchall()]
