"""A copy of the project's files, without build results, to build in another way or to change."""
import os
import shutil
import subprocess


def copy_tree(top, tree, keep=()):
    """Copies the project's files from `top` into the folder `tree`. Files that are equal there stay
    untouched, so that make builds only what depends on a change. Those named in `keep` are not copied."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=top, check=True, capture_output=True,
                           text=True).stdout
    for name in filter(None, names.split("\n")):
        source, target = os.path.join(top, name), os.path.join(tree, name)
        if name in keep or not os.path.exists(source):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or open(source, "rb").read() != open(target, "rb").read():
            shutil.copy(source, target)
