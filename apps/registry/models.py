"""The models under watch, what is protected about the people they decide on, and their versions."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.common import clock


class MonitoredModel(models.Model):
    """One deployed model; `words` are how its people speak of both decisions and both outcomes."""

    class Risk(models.TextChoices):
        MINIMAL = "minimal"
        LIMITED = "limited"
        MEDIUM = "medium"
        HIGH = "high"
        CRITICAL = "critical"

    slug = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    industry = models.CharField(max_length=40)
    purpose = models.TextField()
    risk_level = models.CharField(max_length=10, choices=Risk.choices)
    family = models.CharField(max_length=64, blank=True)
    favourable_decision = models.PositiveSmallIntegerField()
    words = models.JSONField()
    segment = models.CharField(
        max_length=40, blank=True, help_text="The protected attribute by which changes are split into mix and rates."
    )
    features = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="What makes people alike or not, as named in events; individual fairness is measured on them.",
    )
    population = models.JSONField(
        default=dict, blank=True, help_text="Declared shares of the groups the model serves, by attribute and level."
    )
    public_data = models.BooleanField(
        default=False, help_text="Its events are published anyway: what was told before holds nothing back."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_models"
    )
    owner_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["name", "id"]
        permissions = [("own_model", "Owns the model: its runs, findings and plans")]
        constraints = [
            models.CheckConstraint(condition=Q(favourable_decision__in=[0, 1]), name="registry_favourable_0_or_1"),
        ]

    def __str__(self) -> str:
        return self.name


class ProtectedAttribute(models.Model):
    """A protected attribute of a model: declared levels in display order, and the governed reference group."""

    model = models.ForeignKey(MonitoredModel, on_delete=models.CASCADE, related_name="attributes")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    levels = ArrayField(models.CharField(max_length=80))
    reference = models.CharField(max_length=80)
    pairs = ArrayField(models.CharField(max_length=40), default=list, blank=True)

    class Meta:
        ordering = ["model_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="registry_attribute_once_per_model"),
            models.UniqueConstraint(fields=["model", "position"], name="registry_attribute_order"),
            models.CheckConstraint(condition=Q(levels__contains=[F("reference")]), name="registry_reference_is_level"),
        ]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """A registered version of a model: immutable, with the environment it was built in."""

    model = models.ForeignKey(MonitoredModel, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=100)
    environment = models.JSONField(default=dict)
    training_data = models.JSONField(default=dict)
    released_at = models.DateTimeField(null=True, blank=True, help_text="When it began to decide, where that is known.")
    registered_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["model_id", "registered_at", "id"]
        constraints = [models.UniqueConstraint(fields=["model", "version"], name="registry_version_once_per_model")]

    def __str__(self) -> str:
        return self.version


class RetentionSetting(models.Model):
    """For how many days what a model leaves is kept; settings are added, and the newest of a model counts."""

    model = models.ForeignKey(MonitoredModel, on_delete=models.CASCADE, related_name="retention_settings")
    events = models.PositiveIntegerField()
    pseudonyms = models.PositiveIntegerField()
    cubes = models.PositiveIntegerField()
    runs = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    set_by = models.CharField(max_length=200)
    set_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "registry_retention"
        ordering = ["model_id", "id"]

    def __str__(self) -> str:
        return f"retention of model {self.model_id}"
