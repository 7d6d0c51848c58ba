"""A bot of the demo that logs all the time, as Python programs do: `logging`, with a handler that keeps its file open.

Everything that it logs goes into a second file as well, its ledger, which nobody else touches: that is what must arrive.
It logs on its own until told what to do, one word a line on standard input, and answers each with a line:

    hold      stops logging; what it was at is written
    go        goes on
    reopen    closes its file, and opens it again by its name
    burst N   logs N long records at once
    stop      ends; the answer is how many records it logged

Usage: chatter.py LOG LEDGER NETWORK
"""

import json
import logging
import random
import sys
import threading

FORMAT = "%(asctime)s EDT - %(name)s - %(levelname)s - %(message)s"
# Records are logged on its own with this pause between them (seconds).
PAUSE = 0.0005


class Bot:
    def __init__(self, log, ledger, network):
        self.random = random.Random(network)
        self.network = network
        self.count = 0
        # One record after the other, so that both files have them in one order.
        self.turn = threading.Lock()
        self.ended = threading.Event()
        self.handler = logging.FileHandler(log, encoding="utf-8")
        self.logger = logging.getLogger(f"bot.{network}")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        for handler in (self.handler, logging.FileHandler(ledger, encoding="utf-8")):
            handler.setFormatter(logging.Formatter(FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
            self.logger.addHandler(handler)

    def one(self):
        """One record; some are alike, some have a traceback of many lines behind them."""
        self.count += 1
        what = self.random.random()
        if what < 0.25:
            self.logger.info("PING %s", f"irc.{self.network}.net")
        elif what < 0.32:
            try:
                json.loads("{'url': \"\u00fc\"}")
            except ValueError:
                self.logger.exception("Error in command handler (%d)", self.count)
        else:
            nick = self.random.choice(["alra", "beso", "cati", "doun"])
            self.logger.info("Command !%s by %s in #cr0 (%d)", self.random.choice(["uno", "pigs", "ask"]), nick, self.count)

    def long(self):
        self.count += 1
        self.logger.info("State saved (%d): %s", self.count, self.random.randbytes(1500).hex())

    def talk(self):
        while not self.ended.wait(PAUSE):
            with self.turn:
                self.one()

    def obey(self):
        talking = threading.Thread(target=self.talk, daemon=True)
        talking.start()
        print("ready", flush=True)
        for line in sys.stdin:
            word, *rest = line.split()
            if word == "hold":
                self.turn.acquire()
            elif word == "go":
                self.turn.release()
            elif word == "reopen":
                with self.turn:
                    # The next record opens it.
                    self.handler.close()
            elif word == "burst":
                with self.turn:
                    for _ in range(int(rest[0])):
                        self.long()
            elif word == "stop":
                break
            print("done", flush=True)
        self.ended.set()
        talking.join()
        print(self.count, flush=True)


if __name__ == "__main__":
    Bot(*sys.argv[1:]).obey()
