"""Statements about an archive, drawn: conditions whose values some of its rows have, joined as people join them."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

from hypothesis import strategies as st

TEXTS = ("PatientID", "AccessionNumber", "PatientName", "StudyDescription", "StudyID", "PatientSex", "InstitutionName")
COMPARED = ("=", "<>", "<", "<=", ">", ">=")
SHOWN = {
    "studies": "{0}StudyInstanceUID, {0}PatientName, {0}StudyDate, {0}StudyTime, {0}ModalitiesInStudy, {0}StudyID",
    "series": "{0}SeriesInstanceUID, {0}Modality, {0}SeriesDescription, {0}SeriesNumber",
    "instances": "{0}SOPInstanceUID, {0}InstanceNumber, {0}Rows",
}


def quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@st.composite
def text_conditions(draw: st.DrawFn, row: dict[str, Any], name: str) -> str:
    """Draw a condition on text: the whole of it or a part, in its own case or not."""
    column = draw(st.sampled_from(TEXTS))
    value = str(row[column] or "")
    cut = draw(st.integers(0, len(value)))
    head, tail = value[:cut], value[cut:]
    return draw(
        st.sampled_from(
            [
                *[f"{name}{column} = {quoted(value)}"] * 4,  # most of what people ask
                f"{quoted(value)} = {name}{column}",
                f"{name}{column} <> {quoted(value)}",
                f"{name}{column} in ({quoted(value)}, {quoted(head)})",
                f"{name}{column} not in ({quoted(value)}, {quoted(head)})",
                f"{name}{column} like {quoted(head + '%')}",
                f"{name}{column} like {quoted('%' + tail)}",
                f"{name}{column} not like {quoted('_' + value[1:-1] + '%')}",
                f"{name}{column} ilike {quoted(head.upper() + '%')}",
                f"starts_with({name}{column}, {quoted(head)})",
                f"contains({name}{column}, {quoted(tail)})",
                f"suffix({name}{column}, {quoted(tail)})",
                f"lower({name}{column}) = {quoted(value.lower())}",
                f"{name}{column} is null",
                f"{name}{column} is not null",
            ]
        )
    )


@st.composite
def dated_conditions(draw: st.DrawFn, row: dict[str, Any], name: str) -> str:
    """Draw a condition on a day or a time of day."""
    day: date = row["StudyDate"] or date(2024, 1, 1)
    other = day + timedelta(days=draw(st.integers(-20, 20)))
    clock: time = row["StudyTime"] or time(12)
    low, high = sorted((day, other))
    return draw(
        st.sampled_from(
            [
                f"{name}StudyDate {draw(st.sampled_from(COMPARED))} {quoted(day)}",
                f"{name}StudyDate between {quoted(low)} and {quoted(high)}",
                f"{name}StudyDate not between {quoted(low)} and {quoted(high)}",
                f"{name}StudyDate >= date {quoted(low)} and {name}StudyDate < {quoted(high)}::date",
                f"{name}StudyDate in ({quoted(day)}, {quoted(other)})",
                f"{name}StudyDate > timestamp {quoted(f'{day} 10:00:00')}",
                f"year({name}StudyDate) = {day.year}",
                f"{name}StudyDate is null",
                f"{name}StudyTime {draw(st.sampled_from(COMPARED))} {quoted(clock.replace(microsecond=0))}",
                f"{name}PatientBirthDate = {quoted(row['PatientBirthDate'] or day)}",
                f"{name}PatientBirthDate > {quoted(row['PatientBirthDate'] or day)}",
            ]
        )
    )


@st.composite
def other_conditions(draw: st.DrawFn, row: dict[str, Any], name: str) -> str:
    """Draw a condition on a UID, a list or a number."""
    uid, modality = quoted(row["StudyInstanceUID"]), quoted((row["ModalitiesInStudy"] or ["CT"])[0])
    return draw(
        st.sampled_from(
            [
                f"{name}StudyInstanceUID = {uid}",
                f"{name}StudyInstanceUID in ({uid}, '1.2.3')",
                f"{name}StudyInstanceUID like {quoted(row['StudyInstanceUID'][:-2] + '%')}",
                f"list_contains({name}ModalitiesInStudy, {modality})",
                f"not list_contains({name}ModalitiesInStudy, {modality})",
                f"{modality} = any({name}ModalitiesInStudy)",
                f"list_has_any({name}ModalitiesInStudy, [{modality}, 'XX'])",
                f"{name}NumberOfStudyRelatedSeries > 1",
            ]
        )
    )


@st.composite
def conditions(draw: st.DrawFn, rows: list[dict[str, Any]], name: str = "") -> str:
    """Draw a condition on studies, of one part or several."""
    kinds = (text_conditions, dated_conditions, other_conditions)
    one = st.builds(lambda row, kind: (row, kind), st.sampled_from(rows), st.sampled_from(kinds))
    parts = [
        draw(kind(row, name)) for row, kind in draw(st.lists(one, min_size=draw(st.sampled_from([1, 2])), max_size=3))
    ]
    words = " and ", " or "
    joined = draw(st.sampled_from(words)).join(f"({part})" for part in parts)
    return f"not ({joined})" if draw(st.integers(0, 7)) == 7 else joined


@st.composite
def statements(draw: st.DrawFn, rows: list[dict[str, Any]]) -> str:
    """Draw a statement that gives rows in an order of its own."""
    shape = draw(st.sampled_from(["studies", "studies", "studies", "join", "left", "deep", "patients", "twice", "sub"]))
    patient = quoted(draw(st.sampled_from(rows))["PatientID"])
    shown = {table: columns.format for table, columns in SHOWN.items()}
    match shape:
        case "studies":
            return f"select {shown['studies']('')} from studies where {draw(conditions(rows))}"
        case "join" | "left":
            side = "left" if shape == "left" else ""
            modality = draw(st.sampled_from(["", " and r.Modality = 'CT'", " and r.SeriesNumber < 3"]))
            place = draw(st.sampled_from(["on", "where"]))
            on = f"s.StudyInstanceUID = r.StudyInstanceUID{modality if place == 'on' else ''}"
            where = f"({draw(conditions(rows, 's.'))}){modality if place == 'where' else ''}"
            return (
                f"select {shown['studies']('s.')}, {shown['series']('r.')} from studies s {side} join series r on {on} "
                f"where {where}"
            )
        case "deep":
            return (
                f"select {shown['instances']('i.')}, r.Modality from studies s join series r using (StudyInstanceUID) "
                f"join instances i on i.SeriesInstanceUID = r.SeriesInstanceUID "
                f"where {draw(text_conditions(draw(st.sampled_from(rows)), 's.'))} and r.Modality in ('CT', 'MR')"
            )
        case "patients":
            return f"select * exclude (first_seen_at, changed_at, sweep_id) from patients where PatientID = {patient}"
        case "twice":
            return (
                f"select count(*), min(s.StudyDate) from studies s where {draw(conditions(rows, 's.'))} union all "
                f"select count(*), max(StudyDate) from studies where PatientID = {patient}"
            )
        case _:
            return (
                f"with mine as (select * from studies where {draw(conditions(rows))}) "
                "select count(*) n, PatientSex from mine where PatientID in "
                f"(select PatientID from studies where PatientID <> {patient}) group by all"
            )
