"""When a notice is tried again, what it waits for, and when it is not sent any more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.notices import ENDS, NoticeKind
from gateway.notify.delivery import FAILING_MS, STALE_MS, next_due, next_look, tried_again_at, why_not_sent
from gateway.store.port import DeliveryRow

NOW = 1_795_392_000_000


def waiting(number: int, *, since: int = NOW, next_at: int = NOW, alert: str | None = None) -> DeliveryRow:
    attempts = int(next_at > since)
    return DeliveryRow(f"n{number}", number, "court", alert, "phones", "waiting", since, attempts, next_at)


def test_pauses_grow_and_then_stay() -> None:
    pauses = [(tried_again_at(attempts, NOW) - NOW) // 1000 for attempts in range(1, 8)]
    assert pauses == [5, 15, 60, 300, 900, 900, 900]


def test_the_oldest_goes_first_and_holds_up_the_others_while_it_waits() -> None:
    first, second = waiting(1), waiting(2)
    assert next_due([first, second], NOW) is first
    first = waiting(1, next_at=NOW + 5000)
    assert next_due([first, second], NOW) is None
    assert next_look([first, second], NOW) == NOW + 5000
    assert next_due([first, second], NOW + 5000) is first


def test_one_that_fails_for_long_holds_up_only_its_own_alert() -> None:
    stuck = waiting(1, next_at=NOW + 10 * FAILING_MS, alert="court-1")
    same, other = waiting(2, alert="court-1"), waiting(3, alert="court-2")
    later = NOW + FAILING_MS + 1
    same, other = same._replace(since=later, next_at=later), other._replace(since=later, next_at=later)
    assert next_due([stuck, other], later - 1) is None
    assert next_due([stuck, other], later) is other
    assert next_due([stuck, same], later) is None


def test_an_empty_queue_waits_for_nothing() -> None:
    assert next_due([], NOW) is None
    assert next_look([], NOW) is None


times = st.integers(NOW - 2 * FAILING_MS, NOW + 2 * FAILING_MS)
queues = st.lists(
    st.builds(
        lambda since, wait, alert: (since, since + wait, alert),
        times,
        st.integers(0, 3 * FAILING_MS),
        st.sampled_from([None, "court-1", "court-2"]),
    ),
    max_size=6,
).map(
    lambda made: [
        waiting(n, since=s, next_at=at, alert=a) for n, (s, at, a) in enumerate(sorted(made, key=str))
    ]
)


@given(queues)
def test_whoever_looks_when_told_to_finds_everything_in_the_end(queue: list[DeliveryRow]) -> None:
    now, looks = NOW, 0
    while queue:
        if (found := next_due(queue, now)) is not None:
            earlier = queue[: queue.index(found)]
            assert all(each.alert != found.alert or found.alert is None for each in earlier)
            queue.remove(found)
            continue
        at = next_look(queue, now)
        assert at is not None and at > now
        now, looks = at, looks + 1
        assert looks < 30


@pytest.mark.parametrize("kind", sorted(set(NoticeKind) - ENDS - {NoticeKind.DUE_SOON}))
def test_a_notice_is_stale_when_it_is_old_and_its_alert_is_closed(kind: NoticeKind) -> None:
    old = NOW - STALE_MS - 1
    assert why_not_sent(kind, old, None, alert_closed=True, told_before=False, now=NOW) == "stale"
    assert why_not_sent(kind, old, None, alert_closed=False, told_before=False, now=NOW) is None
    assert why_not_sent(kind, old + 1, None, alert_closed=True, told_before=False, now=NOW) is None


@pytest.mark.parametrize("kind", sorted(ENDS))
def test_that_it_is_over_is_told_to_whoever_was_told_that_it_began(kind: NoticeKind) -> None:
    assert why_not_sent(kind, 0, None, alert_closed=True, told_before=True, now=NOW) is None
    assert why_not_sent(kind, NOW, None, alert_closed=True, told_before=False, now=NOW) == "not_told"


def test_a_deadline_is_announced_up_to_its_last_instant() -> None:
    assert why_not_sent("due_soon", NOW - 5000, NOW, False, False, NOW) is None
    assert why_not_sent("due_soon", NOW - 5000, NOW, False, False, NOW + 1) == "stale"
