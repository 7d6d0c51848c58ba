"""An IRC bot of the demo: makes its database, then writes to it through a day, as the real bots do.

It opens the file with Python's sqlite3 for a moment at a time, knows nothing of any sync, and updates scores with
INSERT OR REPLACE, which gives a row a new id each time. The same seed gives the same day.

Usage: bot.py start|day DATABASE NETWORK LEDGER ROWS
"""

import random
import sqlite3
import sys

from ledger import Ledger

TABLES = """
CREATE TABLE links (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT UNIQUE NOT NULL, user TEXT NOT NULL,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP, channel TEXT);
CREATE TABLE user_scores (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, game_type TEXT NOT NULL,
    score INTEGER DEFAULT 0, best_score INTEGER DEFAULT 0, games_played INTEGER DEFAULT 0,
    last_played DATETIME DEFAULT CURRENT_TIMESTAMP, UNIQUE(user, game_type));
CREATE TABLE conversation_history (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, message TEXT NOT NULL,
    response TEXT, timestamp DATETIME DEFAULT CURRENT_TIMESTAMP, context TEXT);
CREATE TABLE bot_stats (id INTEGER PRIMARY KEY AUTOINCREMENT, stat_name TEXT UNIQUE NOT NULL, stat_value TEXT,
    last_updated DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE command_usage (id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL, user TEXT NOT NULL,
    channel TEXT, timestamp DATETIME DEFAULT CURRENT_TIMESTAMP, success INTEGER DEFAULT 1, error_message TEXT,
    execution_time_ms INTEGER, memory_usage_mb REAL);
CREATE TABLE uno_leaderboard (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT UNIQUE NOT NULL,
    games_played INTEGER DEFAULT 0, wins INTEGER DEFAULT 0, losses INTEGER DEFAULT 0,
    total_cards_played INTEGER DEFAULT 0, wild_cards_played INTEGER DEFAULT 0, largest_hand_size INTEGER DEFAULT 0,
    longest_win_streak INTEGER DEFAULT 0, fastest_game_seconds INTEGER DEFAULT 0,
    avg_cards_per_game REAL DEFAULT 0, last_game DATETIME);
CREATE TABLE pigs_games (id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT UNIQUE NOT NULL, game_state TEXT,
    current_player TEXT, turn_score INTEGER DEFAULT 0, last_activity DATETIME);
CREATE TABLE reminders (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, channel TEXT, message TEXT NOT NULL,
    remind_time DATETIME NOT NULL, created_time DATETIME DEFAULT CURRENT_TIMESTAMP, completed INTEGER DEFAULT 0);
CREATE TABLE memos (id INTEGER PRIMARY KEY AUTOINCREMENT, from_user TEXT NOT NULL, to_user TEXT NOT NULL,
    message TEXT NOT NULL, channel TEXT, created_time DATETIME DEFAULT CURRENT_TIMESTAMP,
    delivered INTEGER DEFAULT 0, delivered_time DATETIME);
CREATE TABLE user_analytics (id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT UNIQUE NOT NULL,
    total_messages INTEGER DEFAULT 0, total_commands INTEGER DEFAULT 0, favourite_command TEXT,
    first_seen DATETIME, last_seen DATETIME);
CREATE TABLE bot_config (id INTEGER PRIMARY KEY AUTOINCREMENT, network TEXT NOT NULL, setting_name TEXT NOT NULL,
    setting_value TEXT, setting_type TEXT DEFAULT 'string', description TEXT,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, UNIQUE(network, setting_name));
CREATE TABLE bean_images (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT UNIQUE NOT NULL, added_by TEXT NOT NULL,
    added_time DATETIME DEFAULT CURRENT_TIMESTAMP, channel TEXT, description TEXT,
    view_count INTEGER DEFAULT 0, last_viewed DATETIME);
"""

COMMANDS = ["uno", "pigs", "trivia", "scramble", "weather", "remind", "memo", "bean", "stats", "ask"]
GAMES = ["trivia", "scramble", "riddle"]
CHANNELS = ["#cr0", "#games", "#beans", "#help"]


def nick(number):
    """The nick of person `number`: the same people everywhere."""
    first = ["al", "be", "ca", "do", "el", "fi", "go", "ha", "io", "ju", "ka", "lu", "mo", "ni", "ol", "pe"]
    last = ["ra", "so", "ti", "un", "va", "wo", "xi", "yo", "ze", "bo", "ce", "da", "fe", "gu", "ho", "ji"]
    return first[number % 16] + last[number // 16 % 16] + (str(number // 256) if number > 255 else "")


def moment(day, second):
    """A time of the demo's days, as CURRENT_TIMESTAMP writes it."""
    return f"2025-07-{day:02} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"


def insert(connection, table, row, ledger=None):
    columns = ", ".join(row)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values()))
    if ledger:
        ledger.insert(table, row)


def start(path, network, rows):
    """The database as it had grown until yesterday: about `rows` rows."""
    dice = random.Random(network)
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    people = max(40, rows // 40)
    second = iter(range(10**9))

    def when():
        return moment(1 + dice.randrange(12), next(second))

    for number in range(rows * 2 // 5):
        failed = dice.random() < 0.04
        insert(connection, "command_usage", {
            "command": dice.choice(COMMANDS), "user": nick(dice.randrange(people)), "channel": dice.choice(CHANNELS),
            "timestamp": when(), "success": 0 if failed else 1, "error_message": None,
            "execution_time_ms": dice.randrange(1, 900), "memory_usage_mb": round(dice.uniform(20, 60), 3)})
    for number in range(rows * 3 // 10):
        insert(connection, "conversation_history", {
            "user": nick(dice.randrange(people)), "message": f"question {number}", "response": f"answer {number}",
            "timestamp": when(), "context": dice.choice(CHANNELS)})
    for number in range(rows // 8):
        insert(connection, "links", {
            "url": f"https://example.org/{network}/{number}", "user": nick(dice.randrange(people)),
            "timestamp": when(), "channel": dice.choice(CHANNELS)})
    for number in range(people):
        for game in GAMES:
            insert(connection, "user_scores", {
                "user": nick(number), "game_type": game, "score": dice.randrange(5000),
                "best_score": dice.randrange(100, 900), "games_played": dice.randrange(1, 99), "last_played": when()})
        insert(connection, "user_analytics", {
            "user": nick(number), "total_messages": dice.randrange(4000), "total_commands": dice.randrange(900),
            "favourite_command": dice.choice(COMMANDS), "first_seen": when(), "last_seen": when()})
        if number % 2:
            insert(connection, "uno_leaderboard", {
                "user": nick(number), "games_played": 40, "wins": dice.randrange(20), "losses": dice.randrange(20),
                "total_cards_played": dice.randrange(400), "wild_cards_played": dice.randrange(40),
                "largest_hand_size": dice.randrange(7, 22), "longest_win_streak": dice.randrange(6),
                "fastest_game_seconds": dice.choice([0, 95, 140, 260]),
                "avg_cards_per_game": round(dice.uniform(4, 12), 2), "last_game": when()})
    for number in range(rows // 80):
        insert(connection, "reminders", {
            "user": nick(dice.randrange(people)), "channel": dice.choice(CHANNELS), "message": f"tea number {number}",
            "remind_time": moment(20, number), "created_time": when(), "completed": dice.randrange(2)})
        insert(connection, "memos", {
            "from_user": nick(dice.randrange(people)), "to_user": nick(dice.randrange(people)),
            "message": f"memo {number}", "channel": dice.choice(CHANNELS), "created_time": when(),
            "delivered": 0, "delivered_time": None})
        insert(connection, "bean_images", {
            "url": f"https://example.org/beans/{network}/{number}.jpg", "added_by": nick(dice.randrange(people)),
            "added_time": when(), "channel": "#beans", "description": f"bean {number}",
            "view_count": dice.randrange(60), "last_viewed": when()})
    for name, value in [("greeting", "hello"), ("trivia_seconds", "30"), ("max_reminders", "10"), ("language", "en"),
                        ("flood_limit", "5"), ("uno_timeout", "120"), ("weather_unit", "c"), ("motd", "welcome")]:
        insert(connection, "bot_config", {
            "network": network, "setting_name": name, "setting_value": value, "setting_type": "string",
            "description": f"the {name.replace('_', ' ')}", "updated_at": when()})
    for name in ["started", "reconnects", "version"]:
        insert(connection, "bot_stats", {"stat_name": name, "stat_value": "1", "last_updated": when()})
    for channel in CHANNELS:
        insert(connection, "pigs_games", {
            "channel": channel, "game_state": '{"players": []}', "current_player": nick(3), "turn_score": 0,
            "last_activity": when()})
    connection.commit()
    connection.close()


def play(connection, ledger, user, game, points):
    """One game won. The row is written anew, with a new id."""
    old = connection.execute(
        "SELECT score, best_score, games_played FROM user_scores WHERE user = ? AND game_type = ?", (user, game)
    ).fetchone() or (0, 0, 0)
    connection.execute(
        "INSERT OR REPLACE INTO user_scores (user, game_type, score, best_score, games_played, last_played)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (user, game, old[0] + points, max(old[1], points), old[2] + 1, moment(14, 30000 + points)))
    key = {"user": user, "game_type": game}
    ledger.add("user_scores", key, "score", points)
    ledger.add("user_scores", key, "games_played", 1)
    ledger.record("user_scores", key, "best_score", max(old[1], points))


def day(path, network, rows, ledger):
    """What the bot does today."""
    dice = random.Random(network + " today")
    people = max(40, rows // 40)

    # At start: the new version of the bot has one more column, and tidies up after its crash.
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE user_analytics ADD COLUMN timezone TEXT")
    ledger.column("user_analytics", "timezone")
    for number in range(8):
        connection.execute("UPDATE user_analytics SET timezone = ? WHERE user = ?", ("Europe/Vienna", nick(number)))
        ledger.set("user_analytics", {"user": nick(number)}, {"timezone": "Europe/Vienna"})
    failed = connection.execute("SELECT id FROM command_usage WHERE success = 0 AND error_message IS NULL").fetchall()
    connection.execute("UPDATE command_usage SET error_message = 'unknown' WHERE success = 0 AND error_message IS NULL")
    for (key,) in failed:
        ledger.set("command_usage", {"id": key}, {"error_message": "unknown"})
    connection.commit()
    connection.close()

    # Through the day: many short visits to the file.
    for number in range(rows // 100):
        connection = sqlite3.connect(path)
        user = nick(dice.randrange(people))
        insert(connection, "command_usage", {
            "command": dice.choice(COMMANDS), "user": user, "channel": dice.choice(CHANNELS),
            "timestamp": moment(14, 30000 + number), "success": 1, "error_message": None,
            "execution_time_ms": dice.randrange(900), "memory_usage_mb": round(dice.uniform(20, 60), 3)}, ledger)
        insert(connection, "conversation_history", {
            "user": user, "message": f"new question {number}", "response": f"new answer {number}",
            "timestamp": moment(14, 30000 + number), "context": "#cr0"}, ledger)
        if number % 3 == 0:
            insert(connection, "links", {
                "url": f"https://example.org/{network}/from-irc/{number}", "user": user,
                "timestamp": moment(14, 30000 + number), "channel": dice.choice(CHANNELS)}, ledger)
        play(connection, ledger, user, dice.choice(GAMES), 5 * dice.randrange(1, 60))
        connection.execute("UPDATE user_analytics SET total_commands = total_commands + 1 WHERE user = ?", (user,))
        ledger.add("user_analytics", {"user": user}, "total_commands", 1)
        connection.commit()
        connection.close()

    connection = sqlite3.connect(path)
    # Two people whose points are also changed elsewhere today.
    play(connection, ledger, nick(1), "trivia", 40)
    play(connection, ledger, nick(2), "riddle", 25)
    for number in range(12):
        insert(connection, "memos", {
            "from_user": nick(number), "to_user": nick(number + 1), "message": f"{nick(number)} says hi on IRC",
            "channel": "#cr0", "created_time": moment(14, 40000 + number), "delivered": 0, "delivered_time": None}, ledger)
        insert(connection, "reminders", {
            "user": nick(number), "channel": "#cr0", "message": f"IRC reminder {number}",
            "remind_time": moment(21, number), "created_time": moment(14, 40000 + number), "completed": 0}, ledger)
    for number in range(10):
        url = f"https://example.org/beans/{network}/{number}.jpg"
        connection.execute("UPDATE bean_images SET view_count = view_count + 3, last_viewed = ? WHERE url = ?",
                           (moment(14, 50000), url))
        ledger.add("bean_images", {"url": url}, "view_count", 3)
    for number in range(1, 9, 2):
        connection.execute(
            "UPDATE uno_leaderboard SET games_played = games_played + 1, wins = wins + 1, fastest_game_seconds = ?,"
            " last_game = ? WHERE user = ?", (80 + number, moment(14, 50000), nick(number)))
        ledger.add("uno_leaderboard", {"user": nick(number)}, "games_played", 1)
        ledger.add("uno_leaderboard", {"user": nick(number)}, "wins", 1)
    # The same link is also posted on the website, and the same settings are also edited there.
    insert(connection, "links", {
        "url": f"https://example.org/{network}/breaking-news", "user": nick(5), "timestamp": moment(14, 51000),
        "channel": "#cr0"}, ledger)
    for setting, value in [("greeting", "hi from IRC"), ("uno_timeout", "90")]:
        connection.execute("UPDATE bot_config SET setting_value = ? WHERE network = ? AND setting_name = ?",
                           (value, network, setting))
        ledger.set("bot_config", {"network": network, "setting_name": setting}, {"setting_value": value})
    connection.execute("UPDATE bot_stats SET stat_value = '2' WHERE stat_name = 'started'")
    ledger.set("bot_stats", {"stat_name": "started"}, {"stat_value": "2"})
    connection.commit()
    connection.close()


if __name__ == "__main__":
    action, database, network, ledger_path, count = sys.argv[1:]
    if action == "start":
        start(database, network, int(count))
    else:
        day(database, network, int(count), Ledger(ledger_path, "bot", f"{network}_bot"))
