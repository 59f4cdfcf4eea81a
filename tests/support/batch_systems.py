"""Commands that take the places of batch systems, and run their jobs on this machine.

What matters to a job is as on a node: its environment, its working directory, and its files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

COMMON = '''
import os, re, shlex, shutil, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

ONLY = {ONLY!r}

def run_all(run, indices):
    """Run the jobs of the indices that are to run now."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, [index for index in indices if index in ONLY]))
'''
SBATCH = """
*options, script = sys.argv[1:]
with open(script) as file:
    directives = re.findall(r"^#SBATCH (--\\S+)$", file.read(), re.MULTILINE)
given = {"--output": "slurm-%a.out"}
given |= dict(option.split("=", 1) for option in [*directives, *options] if "=" in option)
assert given["--array"], "sbatch: error: Invalid job array specification"
indices = []
for span in given["--array"].split(","):
    first, _, last = span.partition("-")
    indices += range(int(first), int(last or first) + 1)

def run(index):
    environ = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": str(index)}
    with tempfile.TemporaryDirectory() as folder:
        # Slurm runs a copy of the script in the folder where it was submitted.
        copy = shutil.copy(script, folder)
        os.chmod(copy, 0o755)
        with open(given["--output"].replace("%a", str(index)), "w") as output:
            subprocess.run([copy], env={**os.environ, **environ}, stdout=output, stderr=output)

run_all(run, indices)
print("Submitted batch job 70")
"""
CONDOR_SUBMIT = """
COMMANDS = {
    *("executable", "transfer_executable", "arguments", "environment", "transfer_input_files"),
    *("should_transfer_files", "output", "error", "log"),
}
(description,) = sys.argv[1:]
commands = {}
with open(description) as file:
    for line in file:
        name, equals, value = line.partition("=")
        if equals:
            commands[name.strip()] = value.strip()
        elif not line.startswith("#"):
            queue, variable, word, source = line.split()
            assert (queue, word) == ("queue", "from")
assert set(commands) <= COMMANDS, commands
assert os.path.basename(commands["executable"]) == "python3"
with open(source) as file:
    indices = [int(line) for line in file]

def run(index):
    def expand(name):
        text = commands[name].strip('"').replace(f"$({variable})", str(index))
        return re.sub(r"\\$ENV\\((\\w+)\\)", lambda found: os.environ[found[1]], text)

    with tempfile.TemporaryDirectory() as scratch:
        for name in commands["transfer_input_files"].split(","):
            shutil.copy(name.strip(), scratch)
        ad = os.path.join(scratch, ".job.ad")
        with open(ad, "w") as file:
            file.write(f"ClusterId = 8\\nProcId = {indices.index(index)}\\nNumJobStarts = 0\\n")
        environ = dict(pair.split("=", 1) for pair in shlex.split(expand("environment")))
        environ |= {"_CONDOR_JOB_AD": ad, "TMPDIR": scratch, "PATH": "/usr/bin:/bin"}
        command = [sys.executable, *shlex.split(expand("arguments"))]
        with open(expand("output"), "w") as out, open(expand("error"), "w") as error:
            subprocess.run(command, cwd=scratch, env=environ, stdout=out, stderr=error)

run_all(run, indices)
print("1 job(s) submitted to cluster 8.")
"""


def install_batch_systems(folder: Path, indices: Iterable[int]) -> None:
    """Write ``sbatch`` and ``condor_submit``, which run a job at once if its index is given."""
    folder.mkdir()
    common = COMMON.replace("{ONLY!r}", repr(set(indices)))
    for name, source in (("sbatch", SBATCH), ("condor_submit", CONDOR_SUBMIT)):
        command = folder / name
        command.write_text(f"#!{sys.executable}\n{common}{source}")
        command.chmod(0o755)
