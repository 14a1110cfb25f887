"""Who is at work at what: one at a time, as long as its process lives or tells so."""

import os
import subprocess
import sys
import threading

import pytest
from sqlalchemy import select, update

from results import leases, schema
from results.errors import StoreError
from results.leases import LASTS, RENEWED, Leases
from results.store import Store

HOLDER = """
import sys, time
from results.leases import Leases
from results.store import Store
with Store(sys.argv[1]) as store:
    print(Leases(store).take("work"), flush=True)
    time.sleep(600)
"""


def change(store, **values):
    with store.engine.begin() as connection:
        connection.execute(update(schema.lease).values(**values))


def renewed(store):
    with store.engine.connect() as connection:
        return connection.scalar(select(schema.lease.c.renewed))


def test_one_has_it_until_it_is_left(store):
    with Leases(store) as one, Leases(store) as other:
        assert one.take("work") is None
        assert one.take("work") is None  # it is its own
        holder = other.take("work")
        assert (holder.pid, holder.host) == (os.getpid(), os.uname().nodename)
        assert str(holder).startswith(f"process {os.getpid()} on {holder.host}, since {holder.begun[:10]} ")
        assert other.take("something else") is None
        one.leave("work")
        assert other.take("work") is None
        one.leave("work")  # no longer its own to give
        assert one.take("work") is not None


def test_the_end_gives_all_back(store):
    with Leases(store) as one:
        one.take("work")
        one.take("more")
    with store.engine.connect() as connection:
        assert connection.execute(select(schema.lease)).all() == []


def test_it_ends_with_its_process(url):
    with Store(url) as store, Leases(store) as mine:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True)
        with holder:
            assert holder.stdout.readline() == "None\n"
            change(store, renewed=0.0)  # however long ago: the process is there
            assert mine.take("work").pid == holder.pid
            holder.kill()
            os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # dead, but nobody has taken note
            assert mine.take("work") is None


def test_a_number_that_another_process_has_now_is_another_process(store):
    with Leases(store) as one, Leases(store) as other:
        one.take("work")
        boot, space, pid, ticks = leases.process(os.getpid()).split()
        change(store, process=f"{boot} {space} {pid} {int(ticks) + 1}")
        assert other.take("work") is None


@pytest.mark.parametrize(("ago", "free"), [(0, False), (LASTS - 30, False), (LASTS + 30, True), (-LASTS - 30, True)])
def test_elsewhere_it_ends_when_it_is_not_renewed(store, ago, free):
    """A time to come is of a clock that was set back."""
    with Leases(store) as one, Leases(store) as other:
        one.take("work")
        change(store, host="far", process="another start 1 2", renewed=renewed(store) - ago)
        assert (other.take("work") is None) is free


def test_it_is_renewed_once_in_a_while(store):
    clock = iter([0.0, RENEWED - 1, RENEWED + 1, RENEWED + 1]).__next__
    with Leases(store, clock) as one:
        one.renew()  # nothing to renew: no look at the clock
        one.take("work")
        change(store, renewed=7.0)
        one.renew()
        assert renewed(store) == 7.0
        one.renew()
        assert renewed(store) > 10**9


def test_a_store_that_does_not_answer_ends_no_work(store, monkeypatch):
    def refused(*_):
        raise StoreError("gone")

    with Leases(store, iter([0.0, 100.0, 100.0]).__next__) as one:
        one.take("work")
        monkeypatch.setattr(leases.connect, "writing", refused)
        one.renew()


def test_of_many_who_ask_at_once_one_gets_it(url):
    got = []

    def ask():
        with Store(url) as store:
            mine = Leases(store)  # never left
            got.append(mine.take("work"))

    with Store(url):
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [holder is None for holder in got].count(True) == 1
