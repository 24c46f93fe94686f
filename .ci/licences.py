"""Licences of all dependencies against the list in deny.toml.

What `cargo deny check licenses` does, as far as the metadata of the crates goes: it needs no build,
so it can run everywhere.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path


def allowed(expression, accepted):
    """Whether an SPDX expression can be satisfied: OR needs one side, AND both."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        result = conjunction()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = conjunction() or result
        return result

    def conjunction():
        result = licence()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = licence() and result
        return result

    def licence():
        token = tokens.pop(0)
        if token == "(":
            result = alternatives()
            tokens.pop(0)
            return result
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in accepted

    return alternatives()


def main():
    root = Path(__file__).resolve().parent.parent
    accepted = set(tomllib.loads((root / "deny.toml").read_text())["licenses"]["allow"])
    command = ["cargo", "tree", "--workspace", "--all-features", "--locked", "--prefix", "none"]
    tree = subprocess.check_output([*command, "--format", "{p} @ {l} @"], cwd=root, text=True)
    packages = {tuple(line.split(" @ ", 1)) for line in tree.splitlines() if line}
    licences = {(name, rest.split("@")[0].strip()) for name, rest in packages}
    refused = [
        f"{name}: {licence or 'no licence stated'}"
        for name, licence in sorted(licences)
        if not licence or not allowed(licence, accepted)
    ]
    if refused:
        print("error: licences: expected those of deny.toml, got\n  " + "\n  ".join(refused), file=sys.stderr)
        return 1
    print(f"{len(licences)} packages, all under licences that deny.toml allows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
