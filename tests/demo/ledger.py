"""What the writers of the demo were promised, and whether it still holds.

Every writer notes an edit here right after SQLite acknowledged it. Later, each side is asked for each edit. This is
the judge of the demo, so it knows nothing of how the sync works: it reads databases with plain SELECTs and accepts
only two answers, "the edit is there" and "a conflict that is listed says what this side had written".
"""

import json
import sqlite3


class Ledger:
    """Appends one JSON line per acknowledged edit."""

    def __init__(self, path, side, database):
        self.file = open(path, "a", encoding="utf-8")
        self.start = {"side": side, "database": database}

    def _note(self, did, table, **more):
        self.file.write(json.dumps({**self.start, "did": did, "table": table, **more}) + "\n")

    def insert(self, table, row, points_to=None):
        """A new row; `row` leaves out a surrogate id. `points_to`: (column, table, {cells of the row meant})."""
        self._note("insert", table, row=row, points_to=points_to)

    def add(self, table, key, column, by):
        """A counter went up or down."""
        self._note("add", table, key=key, column=column, by=by)

    def record(self, table, key, column, value):
        """A record was set: the largest of all sides must stay."""
        self._note("record", table, key=key, column=column, value=value)

    def set(self, table, key, values):
        """Cells got these values."""
        self._note("set", table, key=key, values=values)

    def delete(self, table, key):
        """A row was deleted."""
        self._note("delete", table, key=key)

    def column(self, table, column):
        """The table got one more column."""
        self._note("column", table, column=column)


def read(path):
    """Every edit in the ledger."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def name(identifier):
    return '"' + identifier.replace('"', '""') + '"'


def where(cells):
    return " AND ".join(f"{name(column)} IS ?" for column in cells), list(cells.values())


class Judge:
    """Asks one replica for edits. `before` is how the database was before anybody edited it."""

    def __init__(self, replica, before, edits, conflicts):
        self.now = sqlite3.connect(f"file:{replica}?mode=ro", uri=True)
        self.before = sqlite3.connect(f"file:{before}?mode=ro", uri=True)
        self.conflicts = conflicts
        self.sums = {}
        for edit in edits:
            if edit["did"] == "add":
                place = self._place(edit)
                self.sums[place] = self.sums.get(place, 0) + edit["by"]

    @staticmethod
    def _place(edit):
        return edit["table"], json.dumps(edit["key"], sort_keys=True), edit["column"]

    def lost(self, edit):
        """Why an edit is lost; None when it is there or accounted for."""
        try:
            reason = getattr(self, "_" + edit["did"])(edit)
        except sqlite3.Error as error:
            reason = str(error)
        return None if reason is None or self._listed(edit) else reason

    def _one(self, connection, table, columns, cells):
        condition, values = where(cells)
        return connection.execute(f"SELECT {columns} FROM {name(table)} WHERE {condition}", values).fetchone()

    def _insert(self, edit):
        row = dict(edit["row"])
        if edit["points_to"]:
            column, table, cells = edit["points_to"]
            parent = self._one(self.now, table, "id", cells)
            if parent is None:
                return f"{table} {cells} is not there"
            row[column] = parent[0]
        return None if self._one(self.now, edit["table"], "1", row) else f"no row {row}"

    def _add(self, edit):
        column = name(edit["column"])
        old = self._one(self.before, edit["table"], column, edit["key"])
        new = self._one(self.now, edit["table"], column, edit["key"])
        expected = (old[0] if old else 0) + self.sums[self._place(edit)]
        if new is None or new[0] != expected:
            return f"{edit['column']} of {edit['key']} is {new and new[0]}, expected {expected}"
        return None

    def _record(self, edit):
        new = self._one(self.now, edit["table"], name(edit["column"]), edit["key"])
        if new is None or new[0] < edit["value"]:
            return f"{edit['column']} of {edit['key']} is {new and new[0]}, once was {edit['value']}"
        return None

    def _set(self, edit):
        cells = {**edit["key"], **edit["values"]}
        return None if self._one(self.now, edit["table"], "1", cells) else f"no row {cells}"

    def _delete(self, edit):
        return f"{edit['key']} is back" if self._one(self.now, edit["table"], "1", edit["key"]) else None

    def _column(self, edit):
        columns = [row[1] for row in self.now.execute(f"PRAGMA table_info({name(edit['table'])})")]
        return None if edit["column"] in columns else f"no column {edit['column']}"

    def _listed(self, edit):
        """Whether a listed conflict holds what this edit wrote."""
        for conflict in self.conflicts:
            if (conflict["database"], conflict["table"]) != (edit["database"], edit["table"]):
                continue
            if edit["side"] not in conflict["values"]:
                continue
            theirs = conflict["values"][edit["side"]]
            if edit["did"] == "delete":
                if theirs is None and agrees(conflict["key"], edit["key"]):
                    return True
            elif theirs is not None:
                wrote = {**edit.get("key", {}), **edit.get("values", edit.get("row", {}))}
                held = {**conflict["key"], **theirs}
                if agrees(held, wrote) and any(column in theirs for column in wrote):
                    return True
        return False


def agrees(left, right):
    """Whether two rows have the same value wherever both have the column; names match in any case."""

    def same(a, b):
        if isinstance(a, dict) or isinstance(b, dict):
            return True  # redacted
        if isinstance(a, str) and isinstance(b, str):
            return a.lower() == b.lower()
        return a == b

    return all(same(value, right[column]) for column, value in left.items() if column in right)
