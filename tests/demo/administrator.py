"""A person with a shell on the central store: corrects, cleans up, announces. Straight into the central files.

Usage: administrator.py DIRECTORY LEDGER
"""

import sqlite3
import sys

from bot import insert, moment, nick
from ledger import Ledger


def bots(directory, path):
    connection = sqlite3.connect(f"{directory}/rizon_bot.db")
    ledger = Ledger(path, "central", "rizon_bot")
    # Points taken away from somebody who wins on IRC at the same time.
    connection.execute("UPDATE user_scores SET score = score - 100 WHERE user = ? AND game_type = 'trivia'", (nick(1),))
    ledger.add("user_scores", {"user": nick(1), "game_type": "trivia"}, "score", -100)
    for number in range(20, 30):
        url = f"https://example.org/rizon/{number}"
        connection.execute("DELETE FROM links WHERE url = ?", (url,))
        ledger.delete("links", {"url": url})
    for number in range(5):
        insert(connection, "memos", {
            "from_user": "admin", "to_user": nick(number), "message": f"maintenance on Friday, {nick(number)}",
            "channel": "#cr0", "created_time": moment(14, 36000 + number), "delivered": 0, "delivered_time": None}, ledger)
    for setting, value in [("greeting", "hi from the admin"), ("language", "de")]:
        connection.execute("UPDATE bot_config SET setting_value = ? WHERE setting_name = ?", (value, setting))
        ledger.set("bot_config", {"network": "rizon", "setting_name": setting}, {"setting_value": value})
    connection.commit()
    connection.close()


def users(directory, path):
    connection = sqlite3.connect(f"{directory}/users.db")
    ledger = Ledger(path, "central", "users")

    def register(name, email):
        row = {"username": name, "email": email, "password_hash": f"$2y$10${name}", "is_admin": 0, "is_active": 1,
               "created_at": moment(14, 36000), "two_factor_secret": None}
        insert(connection, "users", row, ledger)
        return connection.execute("SELECT last_insert_rowid()").fetchone()[0]

    # New people, under the ids that the website gives to others today; each with a sign-in that belongs to them.
    for number in range(8):
        name = f"{nick(number)}_staff"
        mapping = {"provider": "staff", "external_id": f"staff-{number}", "created_at": moment(14, 36000)}
        insert(connection, "sso_user_mappings", {"user_id": register(name, f"{name}@example.org"), **mapping})
        ledger.insert("sso_user_mappings", mapping, ("user_id", "users", {"username": name}))
    # A nick that somebody also takes on the website.
    register("Zelda", "zelda@central.example.org")
    # Other cells of a row that the website edits, then a cell that it edits too, then a row that it edits.
    connection.execute("UPDATE users SET is_active = 0 WHERE username = ?", (nick(5),))
    ledger.set("users", {"username": nick(5)}, {"is_active": 0})
    connection.execute("UPDATE users SET email = ? WHERE username = ?", ("new@central.example.org", nick(9)))
    ledger.set("users", {"username": nick(9)}, {"email": "new@central.example.org"})
    connection.execute("DELETE FROM users WHERE username = ?", (nick(30),))
    ledger.delete("users", {"username": nick(30)})
    connection.commit()
    connection.close()


def scores(directory, path):
    connection = sqlite3.connect(f"{directory}/breakout_scores.db")
    ledger = Ledger(path, "central", "breakout_scores")
    for number in range(10):
        insert(connection, "breakout_scores", {
            "player_name": nick(number), "score": 9000 + number, "level_reached": 9, "ip_address": "192.0.2.1",
            "date_played": moment(14, 36000 + number)}, ledger)
    for number in range(100, 105):
        connection.execute("DELETE FROM breakout_scores WHERE id = ?", (number,))
        ledger.delete("breakout_scores", {"id": number})
    connection.commit()
    connection.close()


if __name__ == "__main__":
    for work in (bots, users, scores):
        work(*sys.argv[1:])
