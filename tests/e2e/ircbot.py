"""A bot of the deployment: one connection for a moment per message, a log that stays open, an event now and then.

    python3 ircbot.py NETWORK LEDGER

Beside it lies bot.py, the C library for Python. Writes /home/cr0/cr0bot/NETWORK_bot.db and its log until it gets SIGTERM, or is killed. Before each COMMIT it notes in its
ledger what the transaction does, after it that COMMIT has returned; and how many lines it has logged.
"""

import json
import logging
import os
import random
import signal
import sqlite3
import sys
import time

from bot import Failure, System

network, ledger = sys.argv[1:]
HOME = "/home/cr0/cr0bot"
chance = random.Random()
noted = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
going = True


def stop(*_):
    global going
    going = False


def note(line):
    os.write(noted, (json.dumps(line) + "\n").encode())


def last_number():
    with open(ledger, encoding="utf-8") as lines:
        return max((json.loads(line)["n"] for line in lines), default=0)


def message(db, n):
    """What one message does to the database."""
    did = [["said", n]]
    db.execute("INSERT INTO conversation_history(user, message, response) VALUES(?, ?, ?)",
               (f"nick{n % 5}", f"{network} {n}", "hello"))
    if n % 2 == 0:
        user, by = f"nick{chance.randrange(4)}", chance.randrange(1, 9)
        old = db.execute("SELECT score, games_played FROM user_scores WHERE user = ? AND game_type = 'trivia'", (user,))
        score, games = old.fetchone() or (0, 0)
        # As the bots write it: the id is another one each time.
        db.execute("INSERT OR REPLACE INTO user_scores(user, game_type, score, best_score, games_played) VALUES(?, 'trivia', ?, ?, ?)",
                   (user, score + by, max(by, score), games + 1))
        did.append(["scored", user, by])
    if n % 3 == 0:
        db.execute("INSERT INTO links(url, user) VALUES(?, ?)", (f"https://example.org/{network}/{n}", "nick0"))
        did.append(["link", f"https://example.org/{network}/{n}"])
    return did


signal.signal(signal.SIGTERM, stop)
logging.basicConfig(filename=f"{HOME}/logs/{network}_bot.log", level=logging.INFO,
                    format="%(asctime)s UTC - bot." + network + " - %(levelname)s - %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
n = last_number()
with System("/data/cr0_system") as system:
    while going:
        n += 1
        try:
            db = sqlite3.connect(f"{HOME}/{network}_bot.db", timeout=10, isolation_level=None)
            db.execute("BEGIN IMMEDIATE")
            did = message(db, n)
            note({"n": n, "did": did})
            db.execute("COMMIT")
            note({"n": n, "done": True})
            db.close()
        except sqlite3.OperationalError as error:
            note({"n": n, "done": False, "why": str(error)})
        logging.info("message %d", n)
        note({"n": n, "logged": n})
        if n % 50 == 0:
            try:
                system.event("bot_count", {"network": network, "n": n}, "LOW")
                note({"n": n, "event": n})
            except Failure as failure:
                note({"n": n, "failure": str(failure)})
        time.sleep(chance.uniform(0.02, 0.12))
