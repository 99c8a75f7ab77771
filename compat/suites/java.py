"""A program of our own with MariaDB Connector/J."""

import os
import pathlib
import subprocess

from lab import outcome
from lab.fetch import Missing, needs

NAME = "MariaDB Connector/J 2.7.6"
LANGUAGE = "Java"
SOURCE = "Debian, `libmariadb-java`, with `compat/programs/Jdbc.java`"
JAR = "/usr/share/java/mariadb-java-client.jar"


def prepare(cache):
    needs("java", "javac")
    if not os.path.exists(JAR):
        raise Missing("libmariadb-java is not installed")
    return pathlib.Path(__file__).parent.parent / "programs" / "Jdbc.java"


def run(program, target, results):
    done = subprocess.run(["java", "-cp", JAR, program, target.host, str(target.port), target.user, target.password],
                          capture_output=True, text=True, timeout=900)
    results.with_suffix(".txt").write_text(done.stdout + done.stderr)
    return outcome.tap(done.stdout)
