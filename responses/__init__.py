"""The best answer of one server, given what all others cache.

- `best_response`: the answer, from the profiles of all layers.
- `profile`: what the best k experts of each layer gain, given all other servers.
- `subset_sums`: sums over all subsets of a layer's experts.
- `subset_profile`: profiles of small layers, exact.
- `envelope_profile`: profiles of large layers, from above and from below.
- `closure`: the concave envelope of a profile, by minimum cuts.
- `layer_knapsack`: the best split of the capacity over the layers, by counts, then by bytes.
- `maxplus`: (max,+) convolution, which combines profiles.
- `saving_bound`: with K = 1, a bound from the best answers of all servers to a placement.
"""
