"""Cron expressions and execution windows (behaviour 2.11, 8.2, B.11, B.12; T80)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strait_server.base.cron import CronError, is_open, next_opening, parse

ZULU = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)


def moment(text, zone=ZULU, *, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def fires(expression, start, zone, count):
    cron, at, found = parse(expression), start, []
    for _ in range(count):
        at = cron.next_after(at, zone)
        found.append(at)
    return found


@pytest.mark.parametrize("expression", ["0 0 13 * 5", "0 0 * * 5", "0 0 13 * FRI"])
def test_either_day_suffices_when_both_are_restricted(expression):
    [friday] = fires(expression, moment("2026-02-01"), ZULU, 1)

    assert friday == moment("2026-02-06")


def test_a_stepped_day_is_restricted_and_a_step_of_one_is_not():
    assert fires("0 0 */10 * 1", moment("2026-02-01 00:00"), ZULU, 4) == [
        moment("2026-02-02"),
        moment("2026-02-09"),
        moment("2026-02-11"),
        moment("2026-02-16"),
    ]
    assert fires("0 0 */1 * 1", moment("2026-02-02"), ZULU, 1) == [moment("2026-02-09")]


def test_a_time_that_is_skipped_in_spring_does_not_fire_that_day():
    [fire] = fires("30 2 * * *", moment("2026-03-07 12:00", NEW_YORK), NEW_YORK, 1)

    assert fire == moment("2026-03-09 02:30", NEW_YORK)


def test_a_fixed_time_that_comes_twice_in_autumn_fires_once():
    """T80."""
    found = fires("30 1 * * *", moment("2026-10-31 12:00", NEW_YORK), NEW_YORK, 2)

    assert found == [moment("2026-11-01 05:30"), moment("2026-11-02 06:30")]


def test_every_hour_fires_in_both_passes_of_autumn():
    start = moment("2026-11-01 00:30", NEW_YORK)

    assert fires("0 * * * *", start, NEW_YORK, 3) == [
        moment("2026-11-01 05:00"),
        moment("2026-11-01 06:00"),
        moment("2026-11-01 07:00"),
    ]


def test_a_match_that_comes_again_is_not_lost_when_the_next_is_a_year_away():
    """The hour 1 with a step may repeat, and half of it lies behind the start."""
    start = moment("2026-11-01 01:30", NEW_YORK)

    assert fires("15 1/23 1 11 *", start, NEW_YORK, 1) == [moment("2026-11-01 06:15")]


def test_quarters_of_an_hour():
    assert fires("*/15 * * * *", moment("2026-02-01 10:07"), ZULU, 4) == [
        moment("2026-02-01 10:15"),
        moment("2026-02-01 10:30"),
        moment("2026-02-01 10:45"),
        moment("2026-02-01 11:00"),
    ]


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * fri-7", "0 0 * * 5,6,0"),
        ("0 0 * * 7/2", "0 0 * * 0,2,4,6"),
        ("0 0 * jan-mar sun", "0 0 * 1,2,3 0"),
        ("0 0 ? * ?", "0 0 * * *"),
        ("50/5 * * * *", "50,55 * * * *"),
        ("10-20/5,3 * * * *", "3,10,15,20 * * * *"),
        ("  0  12 * * *  ", "0 12 * * *"),
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
    ],
)
def test_two_spellings_of_one_schedule(expression, same):
    start = moment("2026-02-01 10:07")

    assert fires(expression, start, ZULU, 20) == fires(same, start, ZULU, 20)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("@every 5m", "@every"),
        ("@reboot", "@reboot"),
        ("TZ=Europe/Berlin 0 9 * * *", "time zone"),
        ("CRON_TZ=UTC 0 9 * * *", "time zone"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("61 * * * *", "61 is not between 0 and 59"),
        ("* 24 * * *", "24 is not between"),
        ("* * 0 * *", "0 is not between"),
        ("* * * 13 *", "13 is not between"),
        ("* * * * 8", "8 is not between"),
        ("* * * * MON-", "cannot be read"),
        ("*/0 * * * *", "zero"),
        ("20-10 * * * *", "backwards"),
        ("* * * * FRI-SUN", "backwards"),
        ("a * * * *", "cannot be read"),
        ("1,,2 * * * *", "cannot be read"),
        ("-1 * * * *", "cannot be read"),
        ("1/2/3 * * * *", "cannot be read"),
        ("٣ * * * *", "cannot be read"),
        ("* * L * *", "cannot be read"),
        ("* * * * 5L", "cannot be read"),
        ("* * * * 1#2", "cannot be read"),
        ("* * * MON *", "cannot be read"),
        ("1" * 5000 + " * * * *", "cannot be read"),
    ],
)
def test_what_is_not_an_expression_is_refused(expression, why):
    with pytest.raises(CronError, match=why):
        parse(expression)


def test_the_30th_of_february_is_fine_when_a_weekday_suffices():
    assert fires("0 0 30 2 1", moment("2026-02-01"), ZULU, 1) == [moment("2026-02-02")]


def test_a_leap_day_comes_after_eight_years_without_one():
    assert fires("0 0 29 2 *", moment("2096-03-01"), ZULU, 1) == [moment("2104-02-29")]


def test_there_is_no_fire_after_the_calendar_ends():
    assert parse("0 0 1 1 *").next_after(moment("9999-06-01"), ZULU) is None


@pytest.mark.parametrize(
    ("at", "opening"),
    [
        ("2026-02-06 17:30", "2026-02-06 17:30"),
        ("2026-02-06 18:00", "2026-02-09 09:00"),
        ("2026-02-07 12:00", "2026-02-09 09:00"),
        ("2026-02-09 10:15:30", "2026-02-09 10:15:30"),
    ],
)
def test_a_run_waits_for_its_window(at, opening):
    window = parse("* 9-17 * * 1-5")

    assert next_opening(window, moment(at), ZULU) == moment(opening)
    assert is_open(window, moment(at), ZULU) == (at == opening)


def test_a_window_that_names_minute_zero_opens_at_the_top_of_the_hour():
    window = parse("0 9-17 * * 1-5")

    assert next_opening(window, moment("2026-02-06 10:30"), ZULU) == moment("2026-02-06 11:00")


def test_a_window_stays_open_while_its_hour_comes_twice():
    window = parse("* 1-5 * * *")

    assert is_open(window, moment("2026-11-01 06:30"), NEW_YORK)
    assert next_opening(window, moment("2026-11-01 06:30:20"), NEW_YORK) == moment(
        "2026-11-01 06:30:20"
    )


FIELDS = (
    st.sampled_from(["*", "0", "30", "*/20", "5,35", "50/4", "7-9"]),
    st.sampled_from(["*", "1", "2", "*/2", "0-3", "1/23", "23", "2,1"]),
    st.sampled_from(["*", "1", "8", "*/7", "25-31", "?"]),
    st.sampled_from(["*", "3", "11", "10,MAR-APR"]),
    st.sampled_from(["*", "SUN", "7", "1-5", "*/3"]),
)
NEAR_A_SHIFT = st.builds(
    lambda shift, minutes, seconds: moment(shift) + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from(
        [
            "2026-03-08 07:00",
            "2026-11-01 06:00",
            "2026-03-29 01:00",
            "2026-10-25 01:00",
            "2026-04-04 15:00",
            "2026-10-03 15:30",
        ]
    ),
    st.integers(-2000, 2000),
    st.integers(0, 59),
)
ZONES = st.sampled_from(
    [ZULU, NEW_YORK, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")]
)


def brute_force(cron, at, zone, horizon):
    """Walk from minute to minute, as slowly and plainly as the definition reads."""
    here = at.replace(second=0, microsecond=0)
    for _ in range(horizon):
        here += MINUTE
        wall = here.astimezone(zone)
        first_pass = wall.replace(fold=0).astimezone(UTC) == here
        if cron.matches(wall) and (first_pass or not cron.once):
            return here
    return None


@settings(max_examples=150)
@given(st.tuples(*FIELDS).map(" ".join), NEAR_A_SHIFT, ZONES)
@example("15 1/23 1 11 *", moment("2026-11-01 05:30:30"), NEW_YORK)
def test_the_next_fire_is_what_a_patient_watcher_sees(expression, at, zone):
    cron, horizon = parse(expression), 4000

    found = cron.next_after(at, zone)
    expected = brute_force(cron, at, zone, horizon)

    assert found is not None
    assert found > at
    assert cron.matches(found.astimezone(zone))
    if expected is None:
        assert found > at + (horizon - 1) * MINUTE
    else:
        assert found == expected


@given(st.tuples(*FIELDS).map(" ".join), st.integers(0, 3_000_000_000))
def test_fires_are_whole_minutes_in_order(expression, start):
    cron, at = parse(expression), datetime.fromtimestamp(start, UTC)

    for _ in range(5):
        following = cron.next_after(at, NEW_YORK)
        assert following > at
        assert following.second == following.microsecond == 0
        at = following
