"""Gets suites from the package registries into a cache folder, through the registries' own clients."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile


class Missing(RuntimeError):
    """What a suite needs and this machine has not; the suite is left out and the page says so."""


def run(command, **options):
    """Runs a command that must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise Missing(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def needs(*programs):
    """Refuses if one of the programs is not installed."""
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"{program} is not installed")


class Cache:
    """The folder of the suites; what is there already is not fetched again."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def venv(self, name, *packages):
        """A Python environment of its own with these packages; gives back its interpreter."""
        folder = self.folder / f"venv-{name}"
        python = folder / "bin" / "python"
        wanted = "\n".join(packages)
        done = folder / ".packages"
        if not done.exists() or done.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            run([sys.executable, "-m", "venv", folder])
            run([python, "-m", "pip", "-q", "install", *packages])
            done.write_text(wanted)
        return python

    def sdist(self, package, version):
        """A source package of PyPI, unpacked."""
        folder = self.folder / f"{package}-{version}"
        if not folder.exists():
            down = self.folder / "down"
            run([sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary", ":all:",
                 "-d", down, f"{package}=={version}"])
            found = [file for file in down.iterdir() if file.name.lower().startswith(f"{package}-{version}".lower())]
            unpack(found[0], folder)
        return folder

    def crate(self, name, version):
        """A source package of crates.io, unpacked, with its manifest as its authors wrote it."""
        folder = self.folder / f"crate-{name}-{version}"
        if not folder.exists():
            probe = self.folder / f"probe-{name}"
            shutil.rmtree(probe, ignore_errors=True)
            (probe / "src").mkdir(parents=True)
            (probe / "src" / "lib.rs").touch()
            (probe / "Cargo.toml").write_text(
                f'[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n'
                f'[dependencies]\n{name} = "={version}"\n[workspace]\n')
            run(["cargo", "vendor", "-q", probe / "vendor"], cwd=probe)
            shutil.copytree(probe / "vendor" / name, folder)
            shutil.rmtree(probe)
        return folder

    def debian(self, package, part=".orig.tar"):
        """Debian's source of a package, unpacked; needs no rights of the system's administrator."""
        folder = self.folder / f"debian-{package}"
        if not folder.exists():
            needs("apt-get")
            apt = self.folder / "apt"
            (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
            (apt / "sources").write_text("deb-src http://deb.debian.org/debian bookworm main\n")
            options = ["-o", f"Dir::Etc::sourcelist={apt}/sources", "-o", "Dir::Etc::sourceparts=-",
                       "-o", f"Dir::State::lists={apt}/lists"]
            down = apt / package
            down.mkdir(exist_ok=True)
            run(["apt-get", *options, "-qq", "update"])
            # The packaging files may be missing on a mirror; the authors' own archive is what is needed.
            subprocess.run(["apt-get", *options, "-qq", "source", "--download-only", package], cwd=down,
                           capture_output=True)
            found = [file for file in down.iterdir() if part in file.name and not file.name.endswith(".asc")]
            if not found:
                raise Missing(f"the source of {package} cannot be fetched")
            unpack(found[0], folder)
        return folder

    def npm(self, name, *packages):
        """A folder with these packages of the npm registry installed."""
        needs("npm", "node")
        folder = self.folder / f"npm-{name}"
        if not (folder / "node_modules").exists():
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text('{"private": true}\n')
            run(["npm", "install", "--silent", "--no-audit", "--no-fund", *packages], cwd=folder)
        return folder


def unpack(archive, folder):
    """Unpacks an archive whose content is in one folder, and names that folder."""
    temporary = folder.parent / f".{folder.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(temporary, filter="data") if sys.version_info >= (3, 12) else opened.extractall(temporary)
    inside = list(temporary.iterdir())
    os.rename(inside[0] if len(inside) == 1 else temporary, folder)
    shutil.rmtree(temporary, ignore_errors=True)
