"""A SLURM of one node on this machine, in a folder of its own: munged, slurmctld and slurmd."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

# Without accounting, groups of processes or limits of cores, which take rights that a container may lack. A job that is
# started again waits as long as a credential lives, which is 5 s at least.
CONFIGURATION = """
ClusterName=spikebench
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=3
MinJobAge=10
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")


def missing() -> str:
    """Why there can be no such SLURM here; empty where there can."""
    absent = [name for name in PROGRAMS if _found(name) is None]
    if absent:
        return f"needs SLURM (Debian packages slurm-wlm and munge); there is no {absent[0]}"
    return "" if os.geteuid() == 0 else "slurmd has to be started by root"


class Server:
    """Runs from when it is made until `stop`; its commands find it by `variables`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir()
        (folder / "munge").chmod(0o700)
        key = folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        host = socket.gethostname().partition(".")[0]
        self.configuration = folder / "slurm.conf"
        text = CONFIGURATION.format(folder=folder, host=host, user="root", ports=_free_ports())
        self.configuration.write_text(text)
        self.variables = {"SLURM_CONF": str(self.configuration)}
        munge = {name: folder / "munge" / name for name in ("pid-file", "log-file", "seed-file")}
        options = [f"--{name}={place}" for name, place in munge.items()]
        self._start("munged", f"--key-file={key}", f"--socket={folder}/munge.socket", "--force", *options)
        self.start_controller()
        self._start("slurmd", "-f", str(self.configuration))
        self.until_idle()

    def start_controller(self) -> None:
        self._start("slurmctld", "-f", str(self.configuration))

    def kill_controller(self) -> None:
        """As when its machine loses power."""
        self._kill("slurmctld.pid")

    def until_idle(self, timeout: float = 30) -> None:
        """Waits until the node takes jobs."""
        end = time.monotonic() + timeout
        while self.ask("sinfo", "--noheader", "--format=%T", check=False).strip() not in ("idle", "mixed", "allocated"):
            assert time.monotonic() < end, (self.folder / "slurmctld.log").read_text()
            time.sleep(0.05)

    def ask(self, *command: str, check: bool = True) -> str:
        """What a command of SLURM says."""
        environment = {**os.environ, **self.variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=check).stdout

    def jobs(self) -> list[str]:
        """The numbers of the jobs that have not ended."""
        return self.ask("squeue", "--noheader", "--array", "--format=%i").split()

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.ask("scancel", "--state=RUNNING")
            self.ask("scancel", "--state=PENDING")
        for name in ("slurmd.pid", "slurmctld.pid", "munge/pid-file"):
            self._kill(name)

    def _start(self, name: str, *options: str) -> None:
        program = _found(name)
        assert program is not None
        subprocess.run([program, *options], check=True, capture_output=True, env={**os.environ, **self._own()})

    def _own(self) -> dict[str, str]:
        return getattr(self, "variables", {})

    def _kill(self, name: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            number = int((self.folder / name).read_text())
            os.kill(number, signal.SIGKILL)
            end = time.monotonic() + 10
            while Path(f"/proc/{number}").exists() and time.monotonic() < end:
                time.sleep(0.02)


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(2)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
