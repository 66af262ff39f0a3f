"""Build the documentation as a site.

    python docs/site/build.py FOLDER

The pages of docs/ are its sources, as they are; the pages of methods, commands and the API are made
from the code (`generated`). All of it is put together in ``FOLDER-source``. Any warning ends it
with exit status 1, a link that leads nowhere among them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from generated import pages

HERE = Path(__file__).parent
DOCS = HERE.parent
ROOT = DOCS.parent

#: Pages that lie outside of docs/.
_PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md")
#: A page with another name on the site.
_ELSEWHERE = {"README.md": "index.md"}
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


def site_links(text: str, page: Path) -> str:
    """Links of a page as they are on the site.

    Parameters
    ----------
    text : str
    page : Path
        Where it lies in the repository, relative to the root.

    Returns
    -------
    str
        Links to other pages have their titles where their text was a path; what is not on the site
        is named only.
    """

    def changed(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if not target:
            return match[0]
        path = os.path.normpath(page.parent / target)
        path = _ELSEWHERE.get(path, path)
        if path.startswith("docs/"):
            on_site = path.removeprefix("docs/")
        elif path in (*_PROJECT, *_ELSEWHERE.values()):
            on_site = path
        else:
            return f"`{path}`" if words.endswith(path) else words
        if (DOCS / on_site).is_dir():
            return f"`{path}`"
        home = page.parent.as_posix().removeprefix("docs").lstrip("/") or "."
        shown = "" if words.endswith(".md") or words == target else words
        return f"[{shown}]({os.path.relpath(on_site, home)}{anchor})"

    parts, at = [], 0
    for code in _CODE.finditer(text):
        parts += [_LINK.sub(changed, text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, _LINK.sub(changed, text[at:])])


def put_together(source: Path) -> None:
    """Write all sources of the site into a folder, which is made anew."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    shutil.copy(HERE / "index.md", source)
    for name in _PROJECT:
        (source / name).write_text(site_links((ROOT / name).read_text(), Path(name)))
    for path in DOCS.glob("*.md"):
        text = site_links(path.read_text(), path.relative_to(ROOT))
        (source / path.name).write_text(text)
    for name, text in pages(ROOT).items():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def main(folder: str) -> int:
    """Build the site in a folder and return the exit status."""
    target = Path(folder).resolve()
    source = target.with_name(f"{target.name}-source")
    put_together(source)
    shutil.rmtree(target, ignore_errors=True)
    options = ["-b", "html", "-W", "--keep-going", "-q", "-j", "auto", "-d", f"{source}/.doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, "-c", str(HERE), str(source), str(target)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
