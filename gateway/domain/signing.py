"""Signed records: which signatures count, and what is odd about the others (docs/judging.md, part 6)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.domain.facts import Signature
from gateway.domain.plan import Duty, Person, Plan
from gateway.domain.verdicts import Finding


def may_sign(duty: Duty, person: Person | None) -> bool:
    """Whether a signature of this person, None for somebody unknown, is one that the duty asks for."""
    return person is not None and duty.by in (None, person.id, person.role)


def counted(plan: Plan, duty: Duty, signatures: Sequence[Signature]) -> list[Signature]:
    """The signatures that count, in canonical order: the first of each person who may sign."""
    found: dict[str, Signature] = {}
    for signature in signatures:
        person = plan.person(signature.by)
        if person is not None and may_sign(duty, person):
            found.setdefault(person.id, signature)
    return list(found.values())


def wrong_signers(plan: Plan, duty: Duty, signatures: Sequence[Signature]) -> list[Finding]:
    """Signatures of people whom the duty does not ask for."""
    wrong = [signature for signature in signatures if not may_sign(duty, plan.person(signature.by))]
    if not wrong:
        return []
    people = sorted({signer(plan, signature) for signature in wrong})
    facts = tuple(signature.id for signature in wrong)
    return [Finding("wrong_signer", {"signers": people, "by": duty.by}, facts)]


def signer(plan: Plan, signature: Signature) -> str:
    """The id of the person who signed; what the record says where the plan does not know it."""
    person = plan.person(signature.by)
    return signature.by if person is None else person.id
