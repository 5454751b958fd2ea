"""A version of a model, its signature, and what is asked for when one is registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

InputKind = Literal["text", "record", "vector"]
OutputKind = Literal["class", "number"]
FieldType = Literal["number", "text", "any"]
Status = Literal["active", "testing", "inactive", "archived"]

INPUT_KINDS: tuple[InputKind, ...] = ("text", "record", "vector")
STATUSES: tuple[Status, ...] = ("active", "testing", "inactive", "archived")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a version takes and gives.

    Attributes:
        input: `text` (one string), `record` (named fields) or `vector` (numbers in order).
        fields: The names of a record's fields, in the order of training; empty otherwise.
        types: What each field holds, parallel to `fields`; `any` where the artifact does not say.
        length: How many numbers a vector has; None when the artifact does not say.
        nullable: Whether a missing value (null) is an input that the pipeline handles.
        output: `class` (a label) or `number` (a regression).
        classes: The labels that a classifier can give; empty when unknown.
        estimator: The class of the fitted estimator, for people.
    """

    input: InputKind
    fields: tuple[str, ...] = ()
    types: tuple[FieldType, ...] = ()
    length: int | None = None
    nullable: bool = False
    output: OutputKind = "class"
    classes: tuple[str | int | float | bool, ...] = ()
    estimator: str = ""


class Seal(NamedTuple):
    """Who let a version run any code, signed by their key.

    Attributes:
        key: The public key.
        signature: Of what `services.trust.statement` says, which covers the digest.
        at: When, in microseconds since 1970.
        actor: Who, by the name that they gave.
    """

    key: str
    signature: str
    at: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An immutable release of a model, with the state that is derived from traffic.

    Attributes:
        key: The row's integer key inside this registry; predictions refer to it.
        model_id: The public id, `model-<12 hex>`.
        traffic_percent: Its live share of the traffic now, 0 to 100.
        trusted: Whether somebody let its artifact run any code; if that holds here, the seal says.
        external: Whether a program of the user's runs it: it has no artifact, and can serve.
        request_count: Answered or failed predictions of the split; None where not asked for.
    """

    key: int
    model_key: int
    model_id: str
    name: str
    version: str
    status: Status
    traffic_percent: float
    description: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    parent: str | None
    flavor: str | None
    digest: str | None
    size_bytes: int | None
    signature: Signature | None
    trusted: bool
    created_at: datetime
    created_by: str
    request_count: int | None = None
    seal: Seal | None = None
    external: bool = False

    __json__: ClassVar[tuple[str, ...]] = (
        "model_id",
        "name",
        "version",
        "status",
        "traffic_percent",
        "description",
        "accuracy",
        "metrics",
        "metadata",
        "tags",
        "aliases",
        "parent",
        "flavor",
        "digest",
        "size_bytes",
        "signature",
        "trusted",
        "external",
        "request_count",
        "created_at",
        "created_by",
    )

    @property
    def ref(self) -> str:
        """The address, `name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def accuracy(self) -> float | None:
        """The offline accuracy given at registration, or None."""
        return self.metrics.get("accuracy")
