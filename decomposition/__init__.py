"""The certified method: layers tied together by prices of the servers' capacities.

**Where a dual bound is computed, and why it is valid.** With a price ``p[n] >= 0`` for a unit of
room on every server, no placement saves more than ::

    sum_n p[n] * room[n]  +  sum_l max_x (gain_l(x) - sum_n p[n] * weight[n, l] * used_l[n](x))

Take any placement within the capacities. Its saving is the sum of what its parts gain in the
layers. Adding ``p[n] * (room[n] - used room of n)`` for every server adds nothing negative; that is
the formula without its maxima; and no layer's part is worth more than the maximum over all. Which
prices they are does not matter, nor how they were found. `Dual.certify` (`dual`) adds it up; a
layer's maximum, or anything above it, is `LayerPricing.price` (`pricing`), from

- a split of the terms' weights, where the layer is large (`expertcache.splitting`), or
- the duals of the layer's relaxation, right or wrong, by weak duality (`relaxation`, `_bound`), or
- branch and bound over its experts, to the end (`layer_tree`), or
- HiGHS' bound of an integer program and a margin, where the layer is too large for that.

A smaller bound comes from looking at every placement that loses less against it (`enumeration`).

**The steps**, in the order of docs/algorithms.md:

0. `parameters`: what can be tuned.
1. Where a layer is too large for its tree, prices and splits of all layers together (`dual`).
   Column generation, from there or from scratch. `column_generation`: rounds of prices, pricing and
   new columns until the bound is as good as it gets. `master`: the restricted master that proposes
   the prices, over the columns that each layer is known to have (`known_columns`). `dual`: a bound
   at any prices. `pool`: the layers' pricing, in one process or several.
2. Pricing of a layer. `pricing`: the order of what follows. `relaxation`: its linear program, by
   cutting planes. `layer_search`: best responses of single servers. `layer_tree`: its best column,
   or all good ones.
3. `dual_bound`: all of that as the bound of method `decomposition`. `capacity_prices`: the same
   as a function of the capacities.
4. Method `decomposition`. `price_and_round`: a start, the steps, and last what is whole in the
   master's linear optimum, which comes with a promise. `small_layers`: columns put together by the
   master as an integer program, the enumeration for growing losses, dives. `large_layers`: where
   they cannot be enumerated, columns after a split, experts merged into blocks (`blocks`), a local
   search. `steps`: what both have in common. `incumbent`: the best placement, and its gap.
5. Enumeration. `enumeration`: all columns that lose little, then their join. `multiple_choice`: the
   problem of the join. `join`: a dynamic program over the room left. `loss_tables`: what layers
   lose at least together, and each of them at most. `residues`: a table of remainders.
6. `exact`: method `exact`, the decomposition and then `milp`.
"""
