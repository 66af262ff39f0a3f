"""How Sphinx builds the site; `build` puts its sources together and runs it."""

import inspect
import sys
from pathlib import Path

import expertcache
from docutils import nodes
from expertcache.solver import METHODS

sys.path.insert(0, str(Path(__file__).parent))

project = "expertcache"
version = release = expertcache.__version__
copyright = "the expertcache contributors"  # noqa: A001

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_nb"]
exclude_patterns = ["site"]
language = "en"
nitpicky = False
default_role = "py:obj"

myst_heading_anchors = 4
# What tests/test_docs.py writes and runs is code like any other.
suppress_warnings = ["misc.highlighting_failure"]
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
add_module_names = False
toc_object_entries = False

html_theme = "furo"
html_title = f"expertcache {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

#: Objects by the names that docstrings and annotations use, with the page and anchor of each.
_FACE = {}
for _name in expertcache.__all__:
    _object = getattr(expertcache, _name)
    _FACE[_name] = f"expertcache.{_name}"
    if inspect.isclass(_object) or inspect.isfunction(_object):
        _FACE[f"{_object.__module__}.{_object.__qualname__}"] = f"expertcache.{_name}"


def _resolve(app, env, node, contnode):
    """Lead short names, and names of the modules where things live, to their pages."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    domain = env.get_domain("py")
    if target in METHODS:
        here = app.builder.get_relative_uri(node["refdoc"], f"method/{target}")
        return nodes.reference("", "", contnode, internal=True, refuri=here)
    found = _FACE.get(target) or _FACE.get(target.removeprefix("expertcache."))
    if found is None:
        ends = [name for name in domain.objects if name.endswith(f".{target}")]
        found = ends[0] if len(ends) == 1 else None
    if found is None or found not in domain.objects:
        return None
    entry = domain.objects[found]
    here = app.builder.get_relative_uri(node["refdoc"], entry.docname)
    return nodes.reference("", "", contnode, internal=True, refuri=f"{here}#{entry.node_id}")


def setup(app):
    """Called by Sphinx."""
    app.connect("missing-reference", _resolve)
