"""Which experts of Mixture-of-Experts models to cache on which edge servers."""
