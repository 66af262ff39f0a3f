"""Which experts of Mixture-of-Experts models to cache on which edge servers.

The public names stand in ``__init__.pyi``; each is imported when it is first used, so that the
command line's help needs no NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
