"""What the tests of the packages share: commands, unpacking."""
import glob
import os
import shutil
import subprocess

from telling import check

TOP = os.getcwd()
RELEASE = "build/release"
ROOM = "build/release-test"


def ran(what, command, **more):
    """Did the command end well? Its output, or None."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    good = check(what, done.returncode == 0, (done.stdout + done.stderr)[-3000:])
    return done.stdout if good else None


def one(pattern, folder=RELEASE):
    """The one file of the release whose name matches."""
    found = glob.glob(f"{folder}/{pattern}")
    if len(found) != 1:
        raise FileNotFoundError(f"{pattern}: {len(found)} files")
    return os.path.abspath(found[0])


def unpacked(archive, name):
    """A new folder with what is in it."""
    folder = os.path.abspath(f"{ROOM}/{name}")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    shutil.unpack_archive(archive, folder)
    return folder


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
