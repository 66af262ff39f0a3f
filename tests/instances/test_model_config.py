"""Configurations as they are published give the rows of the table, and what is known of others."""

import json

import pytest
from expertcache.command_line.parser import main
from expertcache.instances.model_config import card_of_config, read_model_config
from expertcache.instances.model_table import model_card, model_table, published_names
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import read_instance


def switch(experts):
    # google/switch-base-*: SwitchTransformersConfig of Transformers 5.24, with these experts.
    return {
        "model_type": "switch_transformers", "d_model": 768, "d_ff": 3072, "num_layers": 12,
        "num_decoder_layers": 12, "num_sparse_encoder_layers": 6, "num_sparse_decoder_layers": 6,
        "encoder_sparse_step": 2, "decoder_sparse_step": 2, "num_experts": experts,
    }  # fmt: skip


def llava(kind, hidden, inner, layers):
    # LanguageBind/MoE-LLaVA-*-4e: config.json; experts in every other layer.
    return {
        "model_type": kind, "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": layers,
        "moe": {
            "moe_enable": True, "moe_mode": "sparse", "num_experts": [4] * (layers // 2),
            "moe_layers_idx": list(range(0, layers, 2)), "top_k_experts": 2,
        },
    }  # fmt: skip


#: The keys that count, from the source named beside each.
TABLE = {
    "switch-base-8": switch(8),
    "switch-base-32": switch(32),
    "switch-base-64": switch(64),
    # huggingface.co/mistralai/Mixtral-8x7B-Instruct-v0.1, config.json
    "mixtral-8x7b": {
        "model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_local_experts": 8, "num_experts_per_tok": 2,
    },
    # huggingface.co/mistral-community/Mixtral-8x22B-v0.1, config.json
    "mixtral-8x22b": {
        "model_type": "mixtral", "hidden_size": 6144, "intermediate_size": 16384,
        "num_hidden_layers": 56, "num_local_experts": 8, "num_experts_per_tok": 2,
    },
    # huggingface.co/Qwen/Qwen1.5-MoE-A2.7B, config.json
    "qwen1.5-moe-a2.7b": {
        "model_type": "qwen2_moe", "hidden_size": 2048, "intermediate_size": 5632,
        "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632,
        "num_hidden_layers": 24, "num_experts": 60, "num_experts_per_tok": 4,
        "decoder_sparse_step": 1,
    },
    # huggingface.co/Qwen/Qwen3-30B-A3B, config.json
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144,
        "moe_intermediate_size": 768, "num_hidden_layers": 48, "num_experts": 128,
        "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
    },
    # huggingface.co/deepseek-ai/deepseek-moe-16b-base, config.json
    "deepseek-moe-16b": {
        "model_type": "deepseek", "hidden_size": 2048, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "num_hidden_layers": 28, "n_routed_experts": 64,
        "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
    },
    # huggingface.co/deepseek-ai/DeepSeek-V2-Lite, config.json
    "deepseek-v2-lite": {
        "model_type": "deepseek_v2", "hidden_size": 2048, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "num_hidden_layers": 27, "n_routed_experts": 64,
        "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
    },
    # huggingface.co/deepseek-ai/DeepSeek-V3, config.json
    "deepseek-v3": {
        "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
        "moe_intermediate_size": 2048, "num_hidden_layers": 61, "n_routed_experts": 256,
        "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
        "moe_layer_freq": 1, "num_nextn_predict_layers": 1,
    },
    # huggingface.co/allenai/OLMoE-1B-7B-0924, config.json
    "olmoe-1b-7b": {
        "model_type": "olmoe", "hidden_size": 2048, "intermediate_size": 1024,
        "num_hidden_layers": 16, "num_experts": 64, "num_experts_per_tok": 8,
    },
    # huggingface.co/microsoft/Phi-3.5-MoE-instruct, config.json
    "phi-3.5-moe": {
        "model_type": "phimoe", "hidden_size": 4096, "intermediate_size": 6400,
        "num_hidden_layers": 32, "num_local_experts": 16, "num_experts_per_tok": 2,
    },
    # huggingface.co/databricks/dbrx-instruct, config.json
    "dbrx": {
        "model_type": "dbrx", "d_model": 6144, "n_layers": 40,
        "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
    },
    # huggingface.co/openai/gpt-oss-20b, config.json
    "gpt-oss-20b": {
        "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880,
        "num_hidden_layers": 24, "num_local_experts": 32, "num_experts_per_tok": 4,
        "experts_per_token": 4,
    },
    # huggingface.co/openai/gpt-oss-120b, config.json
    "gpt-oss-120b": {
        "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880,
        "num_hidden_layers": 36, "num_local_experts": 128, "num_experts_per_tok": 4,
    },
    # huggingface.co/ibm-granite/granite-3.0-1b-a400m-base, config.json
    "granite-3.0-1b-a400m": {
        "model_type": "granitemoe", "hidden_size": 1024, "intermediate_size": 512,
        "num_hidden_layers": 24, "num_local_experts": 32, "num_experts_per_tok": 8,
    },
    # huggingface.co/ibm-granite/granite-3.0-3b-a800m-base, config.json
    "granite-3.0-3b-a800m": {
        "model_type": "granitemoe", "hidden_size": 1536, "intermediate_size": 512,
        "num_hidden_layers": 32, "num_local_experts": 40, "num_experts_per_tok": 8,
    },
    "moe-llava-phi2-2.7b": llava("moe_llava_phi", 2560, 10240, 32),
    "moe-llava-stablelm-1.6b": llava("moe_llava_stablelm", 2048, 5632, 24),
    "moe-llava-qwen-1.8b": llava("moe_llava_qwen", 2048, 11008, 24),
    # github.com/NVIDIA/Megatron-LM, modelopt/conf/Qwen/Qwen3-235B-A22B.sh
    "qwen3-235b-a22b": {
        "model_type": "qwen3_moe", "hidden_size": 4096, "intermediate_size": 12288,
        "moe_intermediate_size": 1536, "num_hidden_layers": 94, "num_experts": 128,
        "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
    },
    # huggingface.co/Qwen/Qwen3-Next-80B-A3B-Thinking, config.json
    "qwen3-next-80b-a3b": {
        "model_type": "qwen3_next", "hidden_size": 2048, "intermediate_size": 5120,
        "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512,
        "num_hidden_layers": 48, "num_experts": 512, "num_experts_per_tok": 10,
        "decoder_sparse_step": 1, "mlp_only_layers": [],
    },
    # slime, scripts/models/glm4.5-355B-A32B.sh
    "glm-4.5": {
        "model_type": "glm4_moe", "hidden_size": 5120, "intermediate_size": 12288,
        "moe_intermediate_size": 1536, "num_hidden_layers": 92, "n_routed_experts": 160,
        "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
    },
    # The defaults of Glm4MoeConfig, of Transformers 5.24.
    "glm-4.5-air": {
        "model_type": "glm4_moe", "hidden_size": 4096, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "num_hidden_layers": 46, "n_routed_experts": 128,
        "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 1,
    },
    # huggingface.co/moonshotai/Kimi-K2-Instruct, config.json
    "kimi-k2": {
        "model_type": "kimi_k2", "hidden_size": 7168, "intermediate_size": 18432,
        "moe_intermediate_size": 2048, "num_hidden_layers": 61, "n_routed_experts": 384,
        "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
    },
    # meta-llama/Llama-4-Scout-17B-16E: the defaults of Llama4TextConfig, of Transformers 5.24.
    "llama-4-scout": {
        "text_config": {
            "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192,
            "intermediate_size_mlp": 16384, "num_hidden_layers": 48, "num_local_experts": 16,
            "num_experts_per_tok": 1, "interleave_moe_layer_step": 1,
        },
    },
    # github.com/NVIDIA/Megatron-LM, modelopt/conf/.../Llama-4-Maverick-17B-128E-Instruct.sh
    "llama-4-maverick": {
        "text_config": {
            "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192,
            "intermediate_size_mlp": 16384, "num_hidden_layers": 48, "num_local_experts": 128,
            "num_experts_per_tok": 1, "interleave_moe_layer_step": 2,
        },
    },
    # github.com/MiniMax-AI/MiniMax-01, the model's card
    "minimax-text-01": {
        "model_type": "minimax_text_01", "hidden_size": 6144, "intermediate_size": 9216,
        "num_hidden_layers": 80, "num_local_experts": 32, "num_experts_per_tok": 2,
    },
    # The defaults of MiniMaxM2Config, of Transformers 5.24.
    "minimax-m2": {
        "model_type": "minimax_m2", "hidden_size": 3072, "intermediate_size": 1536,
        "num_hidden_layers": 62, "num_local_experts": 256, "num_experts_per_tok": 8,
    },
    # github.com/ggml-org/llama.cpp/pull/14425; lists of equal numbers, as Tencent's class has them
    "hunyuan-a13b": {
        "model_type": "hunyuan_v1_moe", "hidden_size": 4096, "intermediate_size": 3072,
        "moe_intermediate_size": [3072] * 32, "num_hidden_layers": 32, "num_experts": 64,
        "moe_topk": [8] * 32, "moe_layer_num_skipped": 0,
    },
    # baidu/ERNIE-4.5-21B-A3B-PT: the defaults of Ernie4_5_MoeConfig, of Transformers 5.24.
    "ernie-4.5-21b-a3b": {
        "model_type": "ernie4_5_moe", "hidden_size": 2560, "intermediate_size": 12288,
        "moe_intermediate_size": 1536, "num_hidden_layers": 28, "moe_num_experts": 64,
        "moe_num_shared_experts": 2, "moe_k": 6, "moe_layer_start_index": 1,
        "moe_layer_end_index": -1, "moe_layer_interval": 1,
    },
    # github.com/PaddlePaddle/ERNIE, ERNIE-4p5-300B-A47B/model_config.json without its tail layers
    "ernie-4.5-300b-a47b": {
        "model_type": "ernie4_5_moe", "hidden_size": 8192, "intermediate_size": 28672,
        "moe_intermediate_size": 3584, "num_hidden_layers": 54, "moe_num_experts": 64,
        "moe_num_shared_experts": 0, "moe_k": 8, "moe_layer_start_index": 3,
        "moe_layer_interval": 1,
    },
}  # fmt: skip

#: Families that the table has no row of, and what they are: layers with experts, experts, K,
#: parameters of one expert, dense layers before the first.
OTHERS = {
    # Every other layer, but for a named one (Qwen2MoeSparseMoeBlock's condition).
    "qwen2_moe": (
        {
            "hidden_size": 16, "moe_intermediate_size": 4, "num_hidden_layers": 8,
            "num_experts": 6, "num_experts_per_tok": 2, "decoder_sparse_step": 2,
            "mlp_only_layers": [3],
        },
        (3, 6, 2, 3 * 16 * 4, 1),
    ),
    # huggingface.co/ai21labs/Jamba-v0.1, config.json
    "jamba": (
        {
            "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_experts": 16, "num_experts_per_tok": 2, "expert_layer_period": 2,
            "expert_layer_offset": 1,
        },
        (16, 16, 2, 3 * 4096 * 14336, 1),
    ),
    # huggingface.co/moonshotai/Kimi-Linear-48B-A3B-Instruct: its own names
    "kimi_linear": (
        {
            "hidden_size": 2304, "moe_intermediate_size": 1024, "num_hidden_layers": 27,
            "num_experts": 256, "num_experts_per_token": 8, "first_k_dense_replace": 1,
            "moe_layer_freq": 1,
        },
        (26, 256, 8, 3 * 2304 * 1024, 1),
    ),
    # The list of layers comes first (Glm4MoeLiteConfig).
    "glm4_moe_lite": (
        {
            "hidden_size": 2048, "moe_intermediate_size": 1536, "num_hidden_layers": 4,
            "n_routed_experts": 64, "num_experts_per_tok": 4,
            "mlp_layer_types": ["dense", "sparse", "sparse", "dense"],
        },
        (2, 64, 4, 3 * 2048 * 1536, 1),
    ),
}  # fmt: skip


def test_every_model_of_the_table_is_here():
    assert set(TABLE) == set(model_table())


@pytest.mark.parametrize("name", TABLE)
def test_a_published_configuration_gives_the_row(name):
    card, row = card_of_config(TABLE[name], name, "config.json"), model_card(name)
    for field in (
        "layers", "experts", "top_k", "hidden", "expert_ffn", "gated", "dense_layers", "layer_step",
    ):  # fmt: skip
        assert getattr(card, field) == getattr(row, field), field
    for precision in ("bf16", "mxfp4"):
        assert card.model(precision) == row.model(precision)


@pytest.mark.parametrize("kind", OTHERS)
def test_other_families(kind):
    values, expected = OTHERS[kind]
    card = card_of_config({"model_type": kind} | values, "x", "config.json")
    numbers = (card.layers, card.experts, card.top_k, card.params_per_expert, card.dense_layers)
    assert numbers == expected


def test_published_names_are_those_of_the_table():
    assert set(published_names().values()) == set(model_table())
    assert model_card("mistralai/Mixtral-8x7B-Instruct-v0.1") == model_card("mixtral-8x7b")
    assert model_card("OPENAI/gpt-oss-20B").name == "gpt-oss-20b"


def test_a_folder_names_its_model(tmp_path):
    folder = tmp_path / "My-MoE"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TABLE["mixtral-8x7b"]))
    for path in (folder, folder / "config.json"):
        card = read_model_config(path)
        assert (card.name, card.layers) == ("My-MoE", 32)
    assert model_card(str(folder)) == card


def test_wherever_a_model_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.json").write_text(
        json.dumps(TABLE["mixtral-8x7b"] | {"num_hidden_layers": 2, "hidden_size": 64})
    )
    rows = "latitude,longitude\n1,1\n1.001,1\n"
    (tmp_path / "s.csv").write_text(rows)
    (tmp_path / "c.json").write_text(json.dumps([[1] * 8] * 2))
    places = ["--sites", "s.csv", "--points", "s.csv"]
    for words in (
        ["generate", "--servers", "2", "--users", "2"],
        ["import", "sites", *places],
        ["import", "popularity", "c.json"],
    ):
        assert main([*words, "--model", "tiny.json", "--output", "x.json"]) == 0
        instance = read_instance("x.json")
        (model,) = instance.models
        assert (model.name, model.layers) == ("tiny", 2)
        assert model.expert_bytes == 2 * 3 * 64 * 14336
        assert instance.name.startswith("tiny-")


MIXTRAL = TABLE["mixtral-8x7b"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "model_type: None is not known; known: dbrx, "),
        ({"model_type": "llama"}, "model_type: 'llama' is not known"),
        ({"model_type": ["mixtral"]}, "model_type"),
        (MIXTRAL | {"hidden_size": None}, "has no hidden_size or d_model"),
        (MIXTRAL | {"hidden_size": 4096.5}, "hidden_size: expected a whole number, got 4096.5"),
        (MIXTRAL | {"hidden_size": True}, "hidden_size: expected a whole number, got True"),
        (MIXTRAL | {"hidden_size": [1, 2]}, "hidden_size: expected a whole number"),
        (MIXTRAL | {"num_local_experts": 1}, "2 experts a token, of 1"),
        (MIXTRAL | {"num_hidden_layers": 0}, "0 layers"),
        (MIXTRAL | {"num_hidden_layers": 10**6}, "1000000 layers"),
        (TABLE["qwen3-30b-a3b"] | {"decoder_sparse_step": 0}, "decoder_sparse_step"),
        (TABLE["qwen3-30b-a3b"] | {"mlp_only_layers": "all"}, "mlp_only_layers: expected whole"),
        (TABLE["deepseek-v3"] | {"first_k_dense_replace": 61}, "layers: 0"),
        (TABLE["dbrx"] | {"ffn_config": 3}, "has no ffn_config"),
        (switch(8) | {"num_sparse_encoder_layers": 99}, "of 24 layers are sparse"),
    ],
)
def test_unusable_configurations(values, message):
    with pytest.raises(InputError, match=f"c.json: .*{message}|c.json: {message}"):
        card_of_config(values, "x", "c.json")


def test_a_file_that_is_no_configuration(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json: Expected `object`"):
        model_card(str(tmp_path))
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json: No such file"):
        model_card(str(tmp_path))
    with pytest.raises(InputError, match=r"unknown model .*; and paths of a config\.json"):
        model_card("x" * 5000)
