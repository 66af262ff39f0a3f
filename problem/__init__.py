"""What an instance, a placement and a solution are, and what a placement is worth.

In reading order:

- `instance`: models, servers, users, latencies and requests; `sizes`: how large it may be.
- `placement`: which server caches which expert; `fetch`: how much of it may be new.
- `evaluate`: latency, saving and feasibility of a placement, apart from every solver.
- `demand`: requests summed by user and expert set.
- `terms`: the saving as a sum of weighted terms, which all methods share; `layers`: those of one
  layer.
- `solution`: what a method hands back, and its file.
- `summary`: what a person checks about an instance; `inventory`: each model, server and user.
- `instance_file`: the file of an instance; `files`: reading and writing any file safely;
  `file_kind`: no file of another kind is overwritten; `json_keys`: no key is repeated.
- `quantities`: bytes as people write them.
- `validation`: values checked against declared types; `names`: one line of printable text;
  `errors`: bad input; `arrays`: small array operations.

Sets of different sizes are rows of one array, padded with the number one past the last: I among
items, E among the experts of a layer. An array with a column for each item gets one more for the
padding, which costs nothing and is always held. Only `Requests.experts`, which users write by hand,
is padded with -1, on the right.
"""
