"""The clock is set back a day in the middle of a command, and another command meets what it left."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from ..ground import Ground, Missing

# In place of the C library's: the clock goes wrong at the same moment for all processes.
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static int (*asked)(clockid_t, struct timespec *);
int clock_gettime(clockid_t clock, struct timespec *found) {
    if (!asked) asked = dlsym(RTLD_NEXT, "clock_gettime");
    int status = asked(clock, found);
    const char *jump = getenv("CAMPAIGN_JUMP");
    if (clock == CLOCK_REALTIME && jump && found->tv_sec >= atol(jump)) found->tv_sec -= 86400;
    return status;
}
time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *found, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def strike(ground: Ground) -> None:
    library = _library(ground.folder)
    with ground.trial(LD_PRELOAD=str(library)) as trial:
        jump = time.time() + ground.random.uniform(0, ground.seconds)
        running = trial.begin(CAMPAIGN_JUMP=str(int(jump)))
        ground.wait(trial, running)
        if ground.random.random() < 0.7:
            running.kill()
        trial.end(running)
        trial.check()
        running = trial.begin(CAMPAIGN_JUMP="0")
        ground.wait(trial, running)
        running.kill()
        trial.end(running)
        trial.conclude()


def _library(folder: Path) -> Path:
    """CLOCK, compiled."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("needs a C compiler")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library
