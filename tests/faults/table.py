"""The faults that pacslake survives. Pure.

Each has one test of its name in this folder: `silence` is `test_silence`. `make faults` runs all of them, in their long
form, and prints this table with what came of it; `make test` runs the short form.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """What goes wrong, and what must come of it."""

    name: str
    what: str
    must: str
    aside: str = ""
    """Why it meets neither back end, so that one form of its test is enough: else it happens with a queue too."""


LISTENS = "who is called meets it, a process of its own whoever does the jobs"
STORES = "what takes and reads objects meets it, by whomever they were asked for"
TYPED = "it is met by what people type, before there is any job or beside them"

NETWORK = (
    Fault("unreachable", "A PACS refuses, has no route or no name", "Its window fails; the others are crawled"),
    Fault(
        "association_rejected", "A-ASSOCIATE-RJ, permanent or transient", "Told what to register; or tried again later"
    ),
    Fault("context_rejected", "Study Root is not accepted", "Named; Patient Root where the settings say so"),
    Fault("association_aborted", "A-ABORT or A-P-ABORT between two rows", "The window is not complete"),
    Fault("connection_reset", "RST or FIN between two rows", "The window is not complete"),
    Fault("silence", "Nothing comes: after associating, after asking, after some rows", "An idle deadline ends it"),
    Fault("dripping", "A row just before each deadline, or a byte a second", "A total deadline: C-CANCEL, then abort"),
    Fault("cancel_ignored", "C-CANCEL is not heeded", "Aborted after five seconds"),
    Fault("malformed_pdus", "PDUs and PDVs cut short, too long, empty, of a wrong type", "Closed, and told once"),
    Fault("enormous_pdu", "A PDU of 4 GiB is announced", "Closed within five seconds; memory stays", LISTENS),
    Fault(
        "endless_fragments",
        "No fragment is ever the last one",
        "Cut at the limit for an object, or for a query",
        LISTENS,
    ),
    Fault(
        "enormous_request",
        "A-ASSOCIATE-RQ with all there can be in it, or lying lengths",
        "Answered or refused in 4 MiB",
        LISTENS,
    ),
    Fault(
        "deflated_identifier",
        "An identifier that inflates a thousandfold",
        "Deflated is not negotiated; nothing inflates",
    ),
    Fault(
        "flood_of_connections",
        "Thousands of connections a second, half open, never read",
        "An honest peer associates within 2 s",
        LISTENS,
    ),
    Fault(
        "other_protocols", "HTTP, TLS, SSH or noise at the DICOM port", "Closed; a line a minute in the log", LISTENS
    ),
    Fault(
        "tls_faults",
        "Certificates expired, of another host or authority, TLS 1.1, none",
        "Refused with the reason; never plain",
    ),
)

ANSWERS = (
    Fault("silent_cap", "Answers end at N rows, and nothing says so", "Learned and split; or recorded as capped"),
    Fault("told_cap", "A cap with 0xA700, 0xC001 or 0xB000, and pending 0xFF01", "Split; the status is kept"),
    Fault(
        "every_key_ignored", "The same rows, whatever is asked", "Counted as outside; not complete; no storm of queries"
    ),
    Fault("some_keys_ignored", "Times, modalities, ranges or their ends are ignored", "Found, and asked otherwise"),
    Fault(
        "changes_under_way",
        "Studies come late, move, merge, change or go",
        "Found again; history is kept; gone after two looks",
    ),
    Fault(
        "duplicates",
        "A row twice; a study in two PACS; a UID of two patients",
        "One current row for each PACS and UID; told",
    ),
    Fault("character_sets", "Wrong, missing or broken character sets, huge names", "Decoded with a mark, bytes kept"),
    Fault("malformed_values", "Dates, times, numbers and UIDs that are none", "NULL, the bytes, and the reason"),
    Fault("refused_attribute", "A query fails for one attribute", "Asked without it, and remembered"),
    Fault("incomplete_rows", "Rows of another level, or without their UID", "Kept as rejects"),
    Fault("restart_of_the_pacs", "It restarts in mid-sweep, or answers otherwise since", "Resumed; learned anew"),
    Fault("clock_of_the_pacs", "Its clock is hours away", "Studies of tomorrow are found"),
)

OBJECTS = (
    Fault(
        "bomb_in_an_object",
        "Pixels that inflate without end, sizes that overflow",
        "Kept as bytes; decoding is refused",
        STORES,
    ),
    Fault(
        "hostile_uids",
        "UIDs that are paths, empty, too long, or not digits",
        "No part of a path; refused or set aside",
        STORES,
    ),
    Fault("contradicting_uids", "Request, dataset and file meta name different UIDs", "Refused", STORES),
    Fault("second_copy", "An instance comes again, the same or another", "Ignored; or kept beside, and told"),
    Fault("planted_links", "Links lie where the store wants to write", "Not followed", STORES),
    Fault("unsolicited_object", "Objects nobody asked for, or from somebody unknown", "Refused", LISTENS),
    Fault(
        "retrieval_lies",
        "A C-MOVE says one thing and does another",
        "What came decides; only what is missing is asked again",
    ),
    Fault(
        "unreachable_receiver", "The PACS does not know or reach our store", "Told: title, host and port to register"
    ),
    Fault("full_store", "The store's disk is full in mid-object", "0xA700; nothing torn; goes on later"),
)

LAKE = (
    Fault(
        "full_lake", "The lake's disk is full or broken, at any write", "Nothing torn; told; goes on when there is room"
    ),
    Fault(
        "lost_folder", "Read-only, without permission, removed, out of inodes", "Told; no new folder grows elsewhere"
    ),
    Fault("killed_anywhere", "SIGKILL at any system call that changes a file", "The next run finds a whole lake"),
    Fault("terminated_anywhere", "SIGTERM in each state", "Ends within ten seconds; no finished window is lost"),
    Fault(
        "two_owners", "Two services, a command beside one, an owner that was paused", "One owns; the other is told who"
    ),
    Fault("clock_changes", "Summer time, leap day, an hour back, a day ahead, 1970, 2038", "Each night once"),
    Fault("damaged_files", "Flipped bits, torn and emptied files", "Found; told which days to ask again", TYPED),
    Fault("foreign_files", "A newer lake, files of others, strange paths", "Refused or left alone, aloud"),
    Fault(
        "broken_settings",
        "Keys, types, names, ports, loose secrets",
        "Exit 2 with line, column and a suggestion",
        TYPED,
    ),
    Fault("memory_limit", "Memory ends in a query, in upkeep, in an export", "That task alone fails, or uses the disk"),
    Fault(
        "hostile_sql", "Statements that write, load, read files, never end, or bring too much", "Refused or cut", TYPED
    ),
)

BUCKET = (
    Fault(
        "store_in_trouble",
        "A lake's object store answers 5xx, late or not at all, or its answers are lost",
        "Asked again; else told, and nothing is torn",
    ),
    Fault("killed_at_a_request", "SIGKILL before or after any request to it", "Each machine finds a whole lake"),
    Fault(
        "two_machines", "Two machines write a lake there at once", "One commits; the other is told, and goes on later"
    ),
)

FAULTS = NETWORK + ANSWERS + OBJECTS + LAKE + BUCKET
