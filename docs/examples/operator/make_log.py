"""Write log.jsonl: what three models were recorded to route, made up with a seed.

Each line is one token in one layer, as hooks on the routers write them. Only the first two layers
of each model are there, to keep the file small.
"""

import json
import sys

import numpy as np

#: Name in the log, experts of a layer, experts of a token.
MODELS = (
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", 8, 2),
    ("openai/gpt-oss-20b", 32, 4),
    ("Qwen/Qwen1.5-MoE-A2.7B-Chat", 60, 4),
)
LAYERS, SEQUENCES, TOKENS = 2, 4, 8


def lines(seed=0):
    """Lines of the log; the models' sequences follow one another in turn."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.zipf(1.6, (LAYERS, experts)) for name, experts, _ in MODELS}
    for sequence in range(SEQUENCES):
        for name, experts, top_k in MODELS:
            for token in range(TOKENS):
                for layer in range(LAYERS):
                    share = weights[name][layer] / weights[name][layer].sum()
                    chosen = rng.choice(experts, top_k, replace=False, p=share)
                    line = {"model": name, "sequence": sequence, "token": token, "layer": layer}
                    yield json.dumps(line | {"experts": chosen.tolist()})


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
