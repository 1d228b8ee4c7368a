"""The Vault pages: what they say, who may open them, files by form, and the one look at values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.approvals import services as approvals
from apps.audit import services as audit
from apps.audit.selectors import entries
from apps.common import clock
from apps.pipeline import disclosures
from apps.pipeline import services as pipeline
from apps.registry.spec import ModelSpec
from apps.responses.models import Notification
from apps.vault import receiving, selectors, services
from apps.vault.models import VaultAccess, VaultErasure, VaultUpload
from apps.vault.pseudonyms import Pseudonymiser
from tests.apps.dashboards.world import watched
from tests.apps.pipeline.world import ACTOR, NOW, company
from tests.cast import confirmed, person, signed_in
from tests.sides import side

pytestmark = pytest.mark.django_db
FILE = b"subject_id,sex,region\n" + b"".join(b"person %d,female,west\n" % n for n in range(25))


@pytest.fixture(autouse=True)
def _present() -> Iterator[None]:
    with clock.frozen(NOW):
        yield


@pytest.fixture
def hiring(db: None) -> ModelSpec:
    return company()


@pytest.fixture
def steward(db: None) -> Client:
    return signed_in(person("steward"))


def begun(browser: Client, form: str = "csv") -> str:
    answer = browser.post(reverse("vault-uploads"), {"form": form})
    assert answer.status_code == 302
    return str(VaultUpload.objects.latest("received_at").pk)


def sent(browser: Client, identity: str, content: bytes = FILE, **more: Any) -> str:
    """The page that a form with this file leads to."""
    given = {"file": SimpleUploadedFile("people.csv", content), "complete": "1"} | more
    answer = browser.post(reverse("vault-upload-file", args=[identity]), given, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def compute() -> None:
    with side("compute"):
        pipeline.open_uploads()


def test_the_page_says_what_is_covered_uploaded_asked_read_and_which_keys_there_are() -> None:
    watched()
    page = signed_in(person("auditor")).get(reverse("vault")).content.decode()
    assert "The vault holds protected attributes of 855 people" in page
    assert "monitoring of hiring" in page
    assert "above 90 %" in page
    assert "855 stored" in page
    assert "local:" in page
    assert "The newest is replaced" in page
    assert f'datetime="{(NOW + timedelta(days=30)).date()}' in page
    assert "New upload" not in page
    for value in ("female", "male", "west", "north"):
        assert f">{value}<" not in page


def test_the_page_before_anything_was_sent_says_what_to_do(hiring: ModelSpec, steward: Client) -> None:
    page = steward.get(reverse("vault")).content.decode()
    for said in ("The vault holds nobody yet", "Nothing was uploaded yet", "Nobody has asked", "Nothing was read yet"):
        assert said in page
    assert "New upload" in page


def test_the_page_takes_few_queries_however_much_there_is(
    hiring: ModelSpec, steward: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        services.upload_begin(actor=ACTOR, form="csv")
        audit.append(
            actor="system:compute",
            action="vault.attributes_read",
            subject="model:hiring",
            detail={"purpose": "monitoring", "subjects": number},
        )
    with django_assert_max_num_queries(30):
        assert steward.get(reverse("vault")).status_code == 200
    page = steward.get(reverse("vault-reads")).content.decode()
    assert page.count("monitoring of hiring") == 50
    assert "Earlier reads" in page


def test_lists_are_paged(hiring: ModelSpec, steward: Client) -> None:
    for minute in range(60):
        with clock.frozen(NOW - timedelta(minutes=minute)):
            services.upload_begin(actor=ACTOR, form="csv")
    first = steward.get(reverse("vault-uploads"))
    older = next(line for line in first.content.decode().split('"') if line.startswith("?before="))
    second = steward.get(reverse("vault-uploads") + older).content.decode()
    assert second.count("being received") == 10
    assert steward.get(reverse("vault-uploads") + "?before=nonsense").status_code == 200


def addresses() -> list[tuple[str, str]]:
    identity = services.upload_begin(actor=ACTOR, form="csv")
    return [
        ("GET", reverse("vault")),
        ("GET", reverse("vault-uploads")),
        ("POST", reverse("vault-uploads")),
        ("GET", reverse("vault-uploads-recent")),
        ("GET", reverse("vault-upload", args=[identity])),
        ("GET", reverse("vault-upload-progress", args=[identity])),
        ("POST", reverse("vault-upload-file", args=[identity])),
        ("POST", reverse("vault-upload-withdraw", args=[identity])),
        ("GET", reverse("vault-reads")),
        ("GET", reverse("vault-accesses")),
        ("GET", reverse("vault-access-new")),
        ("POST", reverse("vault-access-new")),
        ("GET", reverse("vault-access", args=[1])),
        ("GET", reverse("vault-access-state", args=[1])),
        ("POST", reverse("vault-access-open", args=[1])),
        ("POST", reverse("vault-access-look", args=[1])),
        ("POST", reverse("vault-access-end", args=[1])),
    ]


@pytest.mark.parametrize("part", ["outsider", "owner", "board", "administrator"])
def test_people_without_business_here_open_nothing(part: str, hiring: ModelSpec) -> None:
    browser = signed_in(person(part))
    for method, address in addresses():
        assert browser.generic(method, address).status_code in (403, 404), address
    assert VaultUpload.objects.get().state == "receiving"


def test_strangers_are_sent_to_sign_in(hiring: ModelSpec) -> None:
    for method, address in addresses():
        answer = Client().generic(method, address)
        assert answer.status_code == 302, address
        assert answer.headers["Location"].startswith(reverse("login")), address


@pytest.mark.parametrize("part", ["auditor", "officer", "compliance"])
def test_who_may_look_may_not_upload(part: str, hiring: ModelSpec) -> None:
    browser = signed_in(person(part))
    identity = services.upload_begin(actor=ACTOR, form="csv")
    assert browser.get(reverse("vault")).status_code == 200
    assert browser.post(reverse("vault-uploads"), {"form": "csv"}).status_code == 403
    for name in ("vault-upload-file", "vault-upload-withdraw"):
        assert browser.post(reverse(name, args=[identity])).status_code == 403


def test_a_file_by_form_is_sealed_followed_and_stored(hiring: ModelSpec, steward: Client) -> None:
    identity = begun(steward)
    page = steward.get(reverse("vault-upload", args=[identity])).content.decode()
    assert 'type="file"' in page
    page = sent(steward, identity)
    assert "The file is sealed" in page
    assert "waits for the compute side" in page
    assert 'hx-trigger="every 2s"' in page
    compute()
    page = steward.get(reverse("vault-upload-progress", args=[identity])).content.decode()
    assert "25 stored, 0 of them in the place of earlier ones." in page
    assert "hx-trigger" not in page


def test_a_bad_row_is_named_on_the_page_and_its_value_is_not(hiring: ModelSpec, steward: Client) -> None:
    identity = begun(steward)
    page = sent(steward, identity, FILE + b"ana,Jedi,west\n")
    assert "Row 27, column sex: has a level that no model declares" in page
    assert "Jedi" not in page
    assert selectors.upload(identity).state == "refused"


def test_a_form_that_broke_off_goes_on_with_the_same_file(
    hiring: ModelSpec, steward: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last field of the form is what says that the file before it is whole."""
    monkeypatch.setattr(receiving, "PART", 10)
    identity = begun(steward)
    given = {"file": SimpleUploadedFile("people.csv", FILE[:-40])}
    answer = steward.post(reverse("vault-upload-file", args=[identity]), given, follow=True)
    page = answer.content.decode()
    assert "did not arrive to its end" in page
    assert "It broke off after 20 rows" in page
    assert "waits for the compute side" in sent(steward, identity)
    compute()
    assert selectors.upload(identity).stored == 25


def test_a_form_from_another_site_makes_nothing_count(hiring: ModelSpec) -> None:
    steward = person("steward")
    identity = services.upload_begin(actor=steward.actor, form="csv")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(steward, backend="django.contrib.auth.backends.ModelBackend")
    given = {"file": SimpleUploadedFile("people.csv", FILE), "complete": "1"}
    assert browser.post(reverse("vault-upload-file", args=[identity]), given).status_code == 403
    assert selectors.upload(str(identity)).state == "receiving"


def test_another_stewards_upload_is_seen_but_not_touched(hiring: ModelSpec, steward: Client) -> None:
    identity = services.upload_begin(actor=ACTOR, form="csv")
    page = steward.get(reverse("vault-upload", args=[identity])).content.decode()
    assert 'type="file"' not in page
    for name in ("vault-upload-file", "vault-upload-withdraw"):
        assert steward.post(reverse(name, args=[identity])).status_code == 404


def test_a_file_is_taken_back(hiring: ModelSpec, steward: Client) -> None:
    identity = begun(steward)
    answer = steward.post(reverse("vault-upload-withdraw", args=[identity]), follow=True)
    assert "Nothing of it is left" in answer.content.decode()
    assert "is withdrawn" in sent(steward, identity)


def ask(browser: Client, **changes: str) -> Any:
    given = {"subjects": "ana\nnobody", "purpose": "Ana says it is wrong.", "legal_basis": "gdpr-16", "hours": "24"}
    return browser.post(reverse("vault-access-new"), given | changes, follow=True)


def signed_request(browser: Client) -> int:
    """Asked for by page, signed by compliance."""
    services.attributes_upload(actor=ACTOR, subjects=[("ana", {"sex": "female", "region": "west"})])
    compute()
    identity = int(ask(browser).redirect_chain[-1][0].rstrip("/").rpartition("/")[2])
    view = approvals_view(identity)
    approvals.approval_sign(
        approval_id=identity, person=person("compliance"), digest=view.digest, confirmed_at=clock.now()
    )
    return identity


def approvals_view(identity: int) -> Any:
    from apps.approvals.selectors import approval

    found = approval(identity)
    assert found is not None
    return found


def answered(browser: Client, identity: int) -> None:
    confirmed(browser)
    assert browser.post(reverse("vault-access-open", args=[identity])).status_code == 302
    with side("compute"):
        assert services.accesses_answer() == 1


def test_values_are_shown_once_and_no_cache_keeps_them(hiring: ModelSpec, steward: Client) -> None:
    identity = signed_request(steward)
    page = steward.get(reverse("vault-access", args=[identity])).content.decode()
    assert "Open the values" in page
    answered(steward, identity)
    key = steward.cookies[f"access-{identity}"]
    assert (key["httponly"], key["samesite"], key["path"]) == (True, "Strict", f"/vault/access/{identity}/")
    assert "Show them now, once" in steward.get(reverse("vault-access", args=[identity])).content.decode()
    answer = steward.post(reverse("vault-access-look", args=[identity]))
    assert "no-store" in answer["Cache-Control"]
    page = answer.content.decode()
    assert "female" in page
    assert "not in the vault" in page
    again = steward.post(reverse("vault-access-look", args=[identity]), follow=True).content.decode()
    assert "shown once" in again
    assert "female" not in again
    assert "The values were shown" in steward.get(reverse("vault-access", args=[identity])).content.decode()


def test_a_look_needs_a_confirmation_and_the_browser_that_asked(hiring: ModelSpec, steward: Client) -> None:
    identity = signed_request(steward)
    answer = steward.post(reverse("vault-access-open", args=[identity]))
    assert answer.url.startswith(reverse("confirm"))
    answered(steward, identity)
    elsewhere = Client()
    elsewhere.cookies[settings.SESSION_COOKIE_NAME] = steward.cookies[settings.SESSION_COOKIE_NAME].value
    page = elsewhere.get(reverse("vault-access", args=[identity])).content.decode()
    assert "Show them now" not in page
    for value in (None, "", "%%%", "a" * 43, "\u00e9"):
        if value is not None:
            elsewhere.cookies[f"access-{identity}"] = value
        page = elsewhere.post(reverse("vault-access-look", args=[identity]), follow=True).content.decode()
        assert "Only the browser in which you asked" in page
    assert selectors.access(identity).state == "sealed"


@pytest.mark.parametrize(("part", "status"), [("officer", 302), ("compliance", 403), ("auditor", 403), ("owner", 403)])
def test_nobody_else_opens_or_sees_them(part: str, status: int, hiring: ModelSpec, steward: Client) -> None:
    identity = signed_request(steward)
    other = signed_in(compliance_officer() if part == "compliance" else person(part))
    confirmed(other)
    for name in ("vault-access-open", "vault-access-look"):
        answer = other.post(reverse(name, args=[identity]))
        assert answer.status_code == status
        assert "female" not in answer.content.decode()
    assert selectors.access(identity).state == "granted"


def compliance_officer() -> Any:
    from apps.accounts.selectors import person as named

    return named("compliance")


def test_a_request_that_lacks_something_keeps_what_was_written(hiring: ModelSpec, steward: Client) -> None:
    page = ask(steward, legal_basis="").content.decode()
    assert "Choose the legal basis" in page
    assert "Ana says it is wrong." in page
    assert not VaultAccess.objects.exists()


def test_compliance_reads_it_in_the_inbox_and_ends_it_early(hiring: ModelSpec, steward: Client) -> None:
    identity = signed_request(steward)
    browser = signed_in(compliance_officer())
    ask(steward)
    assert "See the attributes of 2 people" in browser.get(reverse("inbox")).content.decode()
    page = browser.get(reverse("vault-access", args=[identity])).content.decode()
    assert "ana, nobody" in page
    assert "Open the values" not in page
    browser.post(reverse("vault-access-end", args=[identity]), {"reason": "The complaint is withdrawn."})
    assert selectors.access(identity).state == "ended"


@pytest.mark.parametrize("contact", ["", "officer@example.org", "nobody-here"])
def test_each_opening_and_look_is_told_to_the_data_protection_contact_once(
    contact: str, hiring: ModelSpec, steward: Client, settings: Any
) -> None:
    settings.DATA_PROTECTION_CONTACT = contact
    officer, identity = person("officer"), signed_request(steward)
    told = officer if contact == "officer@example.org" else compliance_officer()
    answered(steward, identity)
    assert disclosures.disclosures_announce() == 1
    steward.post(reverse("vault-access-look", args=[identity]))
    assert disclosures.disclosures_announce() == 1
    assert disclosures.disclosures_announce() == 0
    found = Notification.objects.filter(dedup_key__startswith="access-").order_by("id")
    assert [each.person_id for each in found] == [told.pk, told.pk]
    assert [each.title for each in found] == [
        "Attributes of 2 people were opened for Stan Sato",
        "Attributes of 2 people were shown to Stan Sato",
    ]
    assert "female" not in str([(each.title, each.body) for each in found])


def test_a_steward_erases_a_person_and_nobody_reads_whom(steward: Client, hiring: ModelSpec) -> None:
    address = reverse("vault-erase")
    led = steward.post(address, {"subject_id": "person 7"})
    assert led["Location"].startswith(reverse("confirm"))
    assert VaultErasure.objects.count() == 0
    confirmed(steward)
    page = steward.post(address, {"subject_id": " person 7 "}, follow=True).content.decode()
    assert "Stan Sato" in page
    assert "waits for the compute side" in page
    assert VaultErasure.objects.get().subject == UUID(bytes=Pseudonymiser().one("person 7"))
    with side("compute"):
        services.erasures_execute()
    page = steward.get(reverse("vault-erasures")).content.decode()
    assert ">erased</span>" in page.replace("\n", "")
    assert "person 7" not in page
    assert "person 7" not in str([each.detail for each in entries()])
    assert "Erase a person" not in signed_in(person("auditor")).get(reverse("vault-erasures")).content.decode()


@pytest.mark.parametrize("subject_id", ["", "   ", "x" * 201, "person\n7", "person\x007"])
def test_what_can_be_no_persons_id_erases_nobody(steward: Client, subject_id: str) -> None:
    page = confirmed(steward).post(reverse("vault-erase"), {"subject_id": subject_id}, follow=True).content.decode()
    assert "1 to 200 characters without control characters" in page
    assert VaultErasure.objects.count() == 0


@pytest.mark.parametrize("part", ["officer", "compliance", "auditor", "board", "owner", "administrator", "outsider"])
def test_nobody_but_a_steward_erases(db: None, part: str) -> None:
    browser = confirmed(signed_in(person(part)))
    assert browser.post(reverse("vault-erase"), {"subject_id": "person 7"}).status_code == 403
    assert VaultErasure.objects.count() == 0
