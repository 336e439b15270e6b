"""Where a statement reads the tables of a PACS, and what it wants of them there. Pure.

Each mention of a table is looked at by itself, since a statement may name one several times. What is not plainly a
condition on that mention is left to DuckDB, which runs the whole statement over what came.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlglot import Dialect, TokenType, exp
from sqlglot.errors import SqlglotError

from crawler.errors import UserError
from crawler.live.keys import Keys, both
from crawler.live.predicates import Reader

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it quotes statements, which may name patients

TABLES = ("patients", "studies", "series", "instances")

MATCHED = {
    "patients": frozenset({"PatientID"}),  # whose row is made of all their studies
    "studies": None,
    "series": frozenset({"StudyInstanceUID", "SeriesInstanceUID"}),
    "instances": frozenset({"StudyInstanceUID", "SeriesInstanceUID"}),
}
"""The columns of each table that a PACS is asked by; None: each that is a key. Others sort out what is asked below."""

_STEPS = {
    ("series", "studies"): "StudyInstanceUID",
    ("instances", "studies"): "StudyInstanceUID",
    ("instances", "series"): "SeriesInstanceUID",
}
"""What a table is joined by with one above it."""

SHARED = ("StudyInstanceUID", "SeriesInstanceUID", "PatientID")
"""What tables are joined by."""

_DUCKDB = Dialect.get_or_raise("duckdb")

_JOINS = 12
"""Joins in a statement: sqlglot takes twice as long for each one more that lacks its ON."""

_HARMLESS = (
    *(exp.Paren, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In),
    *(exp.Like, exp.ILike, exp.Is, exp.Null, exp.Literal, exp.Boolean, exp.Column, exp.Identifier),
    *(exp.StartsWith, exp.EndsWith, exp.Contains, exp.ArrayContains, exp.Lower, exp.Upper),
)
"""What conditions may be made of that are looked at before anything is asked below."""


@dataclass
class Mention:
    """One place in which a statement reads a table, and what it wants there."""

    table: str
    keys: Keys = field(default_factory=dict)
    """What the rows have that it wants."""
    where: list[str] = field(default_factory=list)
    """Conditions in SQL that these rows meet, with columns of this table alone."""
    left: list[str] = field(default_factory=list)
    """Conditions that no PACS can be asked by."""
    above: Mention | None = None
    """The mention whose rows it is joined with: studies of a series, series of an instance."""


@dataclass(frozen=True, slots=True)
class Question:
    """A statement, and each mention of a PACS's tables in it."""

    statement: str
    mentions: tuple[Mention, ...]


def read(statement: str, columns: Mapping[str, Sequence[str]], today: date) -> Question:
    """Read one SELECT of DuckDB's SQL; `columns` are those of each table. UserError where it is something else."""
    try:
        tokens = _DUCKDB.tokenize(statement)
        if sum(token.token_type is TokenType.JOIN for token in tokens) > _JOINS:
            raise UserError(f"the statement joins too much for --live, which reads {_JOINS} joins at most")
        parsed = [one for one in _DUCKDB.parser().parse(tokens, statement) if one is not None]
    except SqlglotError as error:
        detail = str(error).splitlines()[0].partition("\033")[0]
        raise UserError(f"the statement cannot be read for --live: {detail}") from error
    except RecursionError:
        raise UserError("the statement is nested too deeply for --live") from None
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query | exp.Values):
        raise UserError("--live answers one SELECT: type other statements without it, to ask the lake")
    [tree] = parsed
    for function in tree.find_all(exp.Anonymous):
        if function.name.lower() in ("query", "query_table"):
            raise UserError(f"--live does not see which tables {function.name}() reads: name them in the statement")
    taken = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found = {id(node): Mention(node.name.lower()) for node in tree.find_all(exp.Table) if _is_read(node)}
    for select in tree.find_all(exp.Select):
        sources = _Sources.of(select, columns)
        if sources is not None and not taken.intersection(TABLES):
            _understand(sources, found, today)
    return Question(statement, tuple(found.values()))


@dataclass(frozen=True, slots=True)
class _Sources:
    """What one SELECT reads from: tables of a PACS by the name that its columns go by, and its joins."""

    select: exp.Select
    joins: tuple[exp.Join, ...]
    tables: Mapping[str, exp.Table]
    columns: Mapping[str, Mapping[str, str]]
    """Of each of them: as it is written in the catalogue, by lower case."""
    only_these: bool
    """Whether it reads from nothing else, so that columns without a table's name can be told."""

    @staticmethod
    def of(select: exp.Select, columns: Mapping[str, Sequence[str]]) -> _Sources | None:
        """Look at a SELECT; None where its joins are of kinds that make rows depend on others."""
        source = select.args.get("from_")
        if source is None:
            return None
        joins = (*(source.this.args.get("joins") or ()), *(select.args.get("joins") or ()))  # FROM before SELECT, after
        if any(join.method not in ("", "NATURAL") for join in joins) or select.args.get("laterals"):
            return None
        nodes = [source.this, *(join.this for join in joins)]
        mine = [node for node in nodes if _is_plain(node)]
        if any(node.args.get("joins") for node in nodes[1:]):
            return None
        names = [node.alias_or_name.lower() for node in mine]
        if len(set(names)) < len(names):
            return None
        tables = dict(zip(names, mine, strict=True))
        known = {name: {one.lower(): one for one in columns[node.name.lower()]} for name, node in tables.items()}
        return _Sources(select, joins, tables, known, len(mine) == len(nodes))

    def where(self) -> Iterator[exp.Expr]:
        """Give the conditions that every row of the answer meets."""
        where = self.select.args.get("where")
        yield from _parts(where.this) if where is not None else ()

    def conditions(self, name: str) -> Iterator[exp.Expr]:
        """Give the conditions without which a row of a table is of no use."""
        yield from self.where()
        for join in self.joins:
            joined = join.this.alias_or_name.lower() == name
            is_inner = not join.side and join.kind in ("", "INNER")
            of_joined = joined and (join.side == "LEFT" or join.kind in ("SEMI", "ANTI"))
            if join.args.get("on") is not None and (is_inner or of_joined):
                yield from _parts(join.args["on"])

    def column(self, node: exp.Expr, name: str) -> str | None:
        """Give the column of a table that an expression is, as the catalogue writes it; None where it is another."""
        if not isinstance(node, exp.Column) or node.args.get("db") or not isinstance(node.this, exp.Identifier):
            return None
        written = node.name.lower()
        if node.table:
            return self.columns[name].get(written) if node.table.lower() == name else None
        having = [one for one, columns in self.columns.items() if written in columns]
        if not self.only_these or name not in having or self._is_renamed(written):
            return None
        return self.columns[name][written] if len(having) == 1 or self._is_merged(written) else None

    def is_linked(self, child: str, parent: str, column: str, *, inner: bool = False) -> bool:
        """Whether rows of the child are of use only where the parent has a row with the same value.

        With `inner` the other way round too.
        """
        if any(self._equates(one, child, parent, column) for one in self.where()):
            return True
        for join in self.joins:
            joined = join.this.alias_or_name.lower()
            of_child = (join.side, joined) in (("LEFT", child), ("RIGHT", parent)) and not inner
            if joined not in (child, parent) or join.kind not in ("", "INNER", "OUTER") or (join.side and not of_child):
                continue
            on = join.args.get("on")
            if on is not None and any(self._equates(one, child, parent, column) for one in _parts(on)):
                return True
            used = {one.name.lower() for one in join.args.get("using") or []}
            if column.lower() in used or join.method == "NATURAL":
                return True
        return False

    def _equates(self, condition: exp.Expr, child: str, parent: str, column: str) -> bool:
        if not isinstance(condition, exp.EQ):
            return False
        sides = (condition.left, condition.right)
        if not all(isinstance(one, exp.Column) and one.table for one in sides):
            return False
        return any(
            self.column(one, child) == column and self.column(other, parent) == column
            for one, other in (sides, sides[::-1])
        )

    def _is_merged(self, written: str) -> bool:
        """Whether a column stands for those of all tables that have it: USING, without an outer join to the right."""
        used = {one.name.lower() for join in self.joins for one in join.args.get("using") or []}
        return written in used and not any(join.side in ("RIGHT", "FULL") for join in self.joins)

    def _is_renamed(self, written: str) -> bool:
        """Whether the SELECT gives this name to something of its own."""
        aliases = (one for one in self.select.expressions if isinstance(one, exp.Alias))
        return any(one.alias.lower() == written for one in aliases)


def _understand(sources: _Sources, found: Mapping[int, Mention], today: date) -> None:
    """Note what a SELECT wants of each table that it reads from."""
    mentions = {name: found[id(node)] for name, node in sources.tables.items()}
    for name, mention in mentions.items():
        matched = MATCHED[mention.table]

        def key(node: exp.Expr, name: str = name, matched: frozenset[str] | None = matched) -> str | None:
            column = sources.column(node, name)
            return column if matched is None or column in matched else None

        for condition in sources.conditions(name):
            keys = Reader(key, today).keys(condition)
            mention.keys = both(mention.keys, keys)
            own = _own(sources, condition, name)
            if own:
                mention.where.append(own)
            if own and not keys:
                mention.left.append(own)
    for child, mention in mentions.items():
        for parent, other in mentions.items():
            if mention is not other:
                _link(sources, (child, mention), (parent, other))


def _link(sources: _Sources, child: tuple[str, Mention], parent: tuple[str, Mention]) -> None:
    """Note that one mention's rows belong to another's, and what both have then."""
    (name, below), (upper, above) = child, parent
    for column in SHARED:
        matched = MATCHED[above.table]
        if any(column.lower() not in sources.columns[one] for one in (name, upper)):
            continue
        is_matched = matched is None or column in matched
        if column in below.keys and is_matched and sources.is_linked(name, upper, column, inner=True):
            above.keys = both(above.keys, {column: below.keys[column]})
    column = _STEPS.get((below.table, above.table), "")
    is_nearer = below.above is None or below.above.table == "studies"
    if column and is_nearer and sources.is_linked(name, upper, column):
        below.above = above


def _own(sources: _Sources, condition: exp.Expr, name: str) -> str | None:
    """Give a condition in SQL where it is of plain parts and of columns of one table alone."""
    for node in condition.walk():
        if not isinstance(node, _HARMLESS) or (isinstance(node, exp.Column) and not sources.column(node, name)):
            return None
    if not any(isinstance(node, exp.Column) for node in condition.walk()):
        return None
    return str(condition.transform(_unqualified).sql(dialect="duckdb"))


def _unqualified(node: exp.Expr) -> exp.Expr:
    return exp.column(node.this.copy()) if isinstance(node, exp.Column) else node


def _parts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Give the conditions that are all to be met."""
    if isinstance(condition, exp.Paren):
        yield from _parts(condition.this)
    elif isinstance(condition, exp.And):
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    else:
        yield condition


def _is_read(node: exp.Table) -> bool:
    return isinstance(node.this, exp.Identifier) and node.name.lower() in TABLES


def _is_plain(node: exp.Expr) -> bool:
    """Whether a source is a table of a PACS, all of it, under its own columns' names."""
    if not isinstance(node, exp.Table) or not _is_read(node):
        return False
    alias = node.args.get("alias")
    others = [name for name, value in node.args.items() if value and name not in ("this", "alias", "joins")]
    return not others and not (alias is not None and alias.args.get("columns"))
