"""Small models of every family of routers, with random weights: what is recorded is computed."""

import json
import signal

import numpy as np
import pytest
from expertcache import read_trace, record
from expertcache.command_line.parser import main
from expertcache.problem.errors import InputError

torch = pytest.importorskip("torch", reason="needs the extra expertcache[record]")
transformers = pytest.importorskip("transformers", reason="needs the extra expertcache[record]")

# What libraries deprecate in their own code.
pytestmark = pytest.mark.filterwarnings("ignore")

COMMON = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": None,
}  # fmt: skip
LATENT = {
    "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 16, "head_dim": 8, "moe_intermediate_size": 16, "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}  # fmt: skip

#: Family, its own fields, E, K, layers that route.
FAMILIES = {
    "mixtral": ({"num_local_experts": 8, "num_experts_per_tok": 2}, 8, 2, 3),
    "qwen2_moe": (
        {"num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 16,
         "shared_expert_intermediate_size": 16, "decoder_sparse_step": 2},
        8, 3, 1,
    ),
    "qwen3_moe": (
        {"num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 16,
         "mlp_only_layers": [1]},
        8, 3, 2,
    ),
    "olmoe": ({"num_experts": 8, "num_experts_per_tok": 2}, 8, 2, 3),
    "gpt_oss": ({"num_local_experts": 8, "num_experts_per_tok": 4}, 8, 4, 3),
    "deepseek_v2": (
        {**LATENT, "n_routed_experts": 16, "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2,
         "topk_method": "group_limited_greedy"},
        16, 3, 2,
    ),
    "deepseek_v3": (
        {**LATENT, "n_routed_experts": 16, "num_experts_per_tok": 4, "n_group": 4, "topk_group": 2},
        16, 4, 2,
    ),
    "phimoe": ({"num_local_experts": 8, "num_experts_per_tok": 2}, 8, 2, 3),
    "dbrx": (
        {"d_model": 32, "n_heads": 2, "n_layers": 3, "max_seq_len": 128,
         "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 1e4},
         "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 8, "moe_top_k": 4,
                        "hidden_size": 32}},
        8, 4, 3,
    ),
    "llama4_text": (
        {"num_local_experts": 8, "num_experts_per_tok": 1, "intermediate_size_mlp": 32,
         "interleave_moe_layer_step": 2},
        8, 1, 1,
    ),
    "granitemoe": ({"num_local_experts": 8, "num_experts_per_tok": 3}, 8, 3, 3),
    "jamba": (
        {"num_experts": 8, "num_experts_per_tok": 2, "expert_layer_period": 2,
         "expert_layer_offset": 1, "attn_layer_period": 2, "attn_layer_offset": 0,
         "use_mamba_kernels": False, "mamba_d_state": 4},
        8, 2, 1,
    ),
    "glm4_moe": (
        {"n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
         "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1},
        8, 2, 2,
    ),
    "ernie4_5_moe": (
        {"moe_num_experts": 8, "moe_k": 2, "moe_intermediate_size": 16,
         "moe_layer_start_index": 1},
        8, 2, 2,
    ),
    "hunyuan_v1_moe": ({"num_experts": 8, "moe_topk": 2}, 8, 2, 3),
    "jetmoe": (
        {"num_local_experts": 8, "num_experts_per_tok": 2, "kv_channels": 16}, 8, 2, 3,
    ),
    "minimax": ({"num_local_experts": 8, "num_experts_per_tok": 2, "block_size": 8}, 8, 2, 3),
    "flex_olmo": ({"num_experts": 8, "num_experts_per_tok": 2}, 8, 2, 3),
}  # fmt: skip


def made(family, folder):
    """A model with random weights, and a tokenizer of single characters, in a folder."""
    config = transformers.AutoConfig.for_model(family, **(COMMON | FAMILIES[family][0]))
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            # Large enough that routers have opinions.
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
        for name, buffer in model.named_buffers():
            if "bias" in name:
                buffer.normal_(0, 0.3)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model.eval()


def save_tokenizer(folder):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    vocabulary = {chr(32 + n): n for n in range(2, 64)} | {"<pad>": 0, "<s>": 1}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<s>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<s>"
    ).save_pretrained(folder)


class Computed:
    """Experts of every pass, seen where the model chooses them: at topk, or at one-hot masks."""

    def __init__(self, experts, top_k):
        self.rows, self._experts, self._top_k = [], experts, top_k

    def __enter__(self):
        self._topk, self._tensor_topk = torch.topk, torch.Tensor.topk

        def spy(function):
            def chosen(given, k, *more, **named):
                found = function(given, k, *more, **named)
                # The last choice of K out of E in a layer is that of the experts.
                if given.shape[-1] == self._experts and k == self._top_k:
                    self.rows.append(found[1].detach().numpy().copy())
                return found

            return chosen

        torch.topk, torch.Tensor.topk = spy(self._topk), spy(self._tensor_topk)
        return self

    def __exit__(self, *_):
        torch.topk, torch.Tensor.topk = self._topk, self._tensor_topk


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    found = {}

    def of(family):
        if family not in found:
            folder = tmp_path_factory.mktemp(family)
            found[family] = folder, made(family, folder)
        return found[family]

    return of


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "phimoe"])
def test_what_is_recorded_is_what_the_model_computes(family, model_of, tmp_path):
    folder, _ = model_of(family)
    _, experts, top_k, layers = FAMILIES[family]
    texts = ["HELLO_WORLD", "AB", "SOMETHING_ELSE:123"]
    (tmp_path / "p.txt").write_text("\n".join(texts) + "\n")
    summary = record(str(folder), tmp_path / "p.txt", tmp_path / "t.npz", tokens=5)
    trace = read_trace(tmp_path / "t.npz")
    assert (summary.layers, summary.top_k, summary.sequences) == (layers, top_k, 3)
    assert trace.expert_ids.shape[1:] == (layers, top_k)
    assert trace.expert_ids.max() < experts
    assert np.bincount(trace.sequence).tolist() == [len(text) + 4 for text in texts]
    reference = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    for number, text in enumerate(texts):
        ids = torch.tensor([[ord(letter) - 32 for letter in text]])
        with torch.inference_mode(), Computed(experts, top_k) as computed:
            whole = reference.generate(
                input_ids=ids, max_new_tokens=5, do_sample=False, use_cache=True
            )
        assert whole.shape[1] == len(text) + 5
        # Choices of a pass come layer by layer, and attention may choose experts of its own.
        rows, each = computed.rows, len(computed.rows) // (5 * layers)
        passes = [
            np.stack(rows[begin : begin + each * layers][each - 1 :: each], axis=1)
            for begin in range(0, len(rows), each * layers)
        ]
        want = np.concatenate(passes)
        got = trace.expert_ids[trace.sequence == number]
        assert np.array_equal(np.sort(got, axis=2), np.sort(want, axis=2))
    assert len(np.unique(trace.expert_ids)) > top_k


@pytest.mark.parametrize("family", ["phimoe", "mixtral", "gpt_oss", "deepseek_v3", "llama4_text"])
def test_weights_of_other_experts_change_nothing(family, model_of, tmp_path):
    """However a router chooses: those of phimoe choose one after the other."""
    folder, _ = model_of(family)
    experts = FAMILIES[family][1]
    (tmp_path / "p.txt").write_text("AB\n")
    record(str(folder), tmp_path / "p.txt", tmp_path / "t.npz")
    ids = read_trace(tmp_path / "t.npz").expert_ids
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    given = torch.tensor([[ord(letter) - 32 for letter in "AB"]])
    with torch.inference_mode():
        before = model(input_ids=given).logits.clone()
        blocks = [module for name, module in model.named_modules() if name.endswith(".experts")]
        assert len(blocks) == ids.shape[1]
        for layer, block in enumerate(blocks):
            unused = np.setdiff1d(np.arange(experts), ids[:, layer])
            for parameter in block.parameters():
                parameter[unused] += 1.0
        assert torch.equal(model(input_ids=given).logits, before)
        for layer, k in np.ndindex(ids.shape[1:]):
            changed = [parameter[ids[0, layer, k]] for parameter in blocks[layer].parameters()]
            for weights in changed:
                weights += 1.0
            assert not torch.equal(model(input_ids=given).logits, before)
            for weights in changed:
                weights -= 1.0


def test_categories_and_the_command(model_of, tmp_path, monkeypatch, capsys):
    folder, _ = model_of("mixtral")
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": "HELLO", "category": "greeting"}, {"prompt": "1+1", "category": "sum"}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["record", str(folder), "--prompts", "p.jsonl", "--output", "t.npz"]
    assert main([*words, "--sequences", "s.json"]) == 0
    assert "8 tokens of 2 sequences" in capsys.readouterr().out
    trace = read_trace("t.npz", "s.json")
    assert trace.categories == ("greeting", "sum")
    assert trace.category.tolist() == [0] * 5 + [1] * 3
    before = (tmp_path / "t.npz").read_bytes()
    assert main([*words, "--sequences", "s.json"]) == 0
    assert (tmp_path / "t.npz").read_bytes() == before
    assert main(words) == 2
    assert "--sequences" in capsys.readouterr().err


def test_a_signal_ends_it_with_the_prompts_so_far(model_of, tmp_path):
    folder, _ = model_of("mixtral")
    (tmp_path / "p.txt").write_text("AB\nCDE\nFGHI\n")
    answers = iter([False, False, True])
    summary = record(
        str(folder), tmp_path / "p.txt", tmp_path / "t.npz", stopped=lambda: next(answers)
    )
    assert (summary.tokens, summary.sequences) == (5, 2)
    assert signal.getsignal(signal.SIGINT) is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no prompts"),
        ('{"prompt": "A"}\n{"prompt": ""}\n', "line 2: prompt: is empty"),
        ('{"prompt": "A", "category": "x"}\n{"prompt": "B"}\n', "1 prompts have no category"),
        ('{"text": "A"}\n', "line 1"),
    ],
)
def test_broken_prompts(tmp_path, text, message):
    (tmp_path / "p.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        record("nowhere", tmp_path / "p.txt", tmp_path / "t.npz")
    assert not (tmp_path / "t.npz").exists()


def test_models_that_cannot_be_recorded(tmp_path):
    (tmp_path / "p.txt").write_text("A\n")
    arguments = tmp_path / "p.txt", tmp_path / "t.npz"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        record(str(tmp_path / "empty"), *arguments)
    config = transformers.AutoConfig.for_model("llama", **COMMON)
    folder = tmp_path / "dense"
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    save_tokenizer(folder)
    with pytest.raises(InputError, match="no router that is known; modules: Embedding, Linear, Ll"):
        record(str(folder), *arguments)
    assert not (tmp_path / "t.npz").exists()
