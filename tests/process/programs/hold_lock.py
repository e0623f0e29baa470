"""FILE: hold a write transaction on a SQLite file, from the moment this says so until standard input ends."""

import sqlite3
import sys

from tests.process.watch import say, watch

watch()
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
say("held")
sys.stdin.read()
connection.execute("ROLLBACK")
connection.close()
