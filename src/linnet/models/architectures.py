"""The architectures that the engine runs, and what it takes for granted of some of them.

As llama.cpp has them that comes with llama-cpp-python 0.3.36 (`src/llama-arch.cpp`, `src/models/`). What is
missing here cannot be run: most encoders, vision and sound models, diffusion, drafts for other models.
"""

from __future__ import annotations

RUNNABLE = frozenset(
    """
    llama llama4 deci falcon grok gpt2 gptj gptneox mpt baichuan starcoder refact bloom stablelm qwen qwen2
    qwen2moe qwen2vl qwen3 qwen3moe qwen3next qwen3vl qwen3vlmoe qwen35 qwen35moe phi2 phi3 phimoe plamo
    codeshell orion internlm2 minicpm minicpm3 gemma gemma2 gemma3 gemma3n gemma4 starcoder2 mamba mamba2
    jamba falcon-h1 xverse command-r cohere2 cohere2moe dbrx olmo olmo2 olmoe openelm arctic deepseek deepseek2
    deepseek32 chatglm glm4 glm4moe glm-dsa bitnet jais jais2 nemotron nemotron_h nemotron_h_moe exaone exaone4
    exaone-moe rwkv6 rwkv6qwen2 rwkv7 arwkv7 granite granitemoe granitehybrid chameleon plm bailingmoe
    bailingmoe2 dots1 arcee afmoe ernie4_5 ernie4_5-moe hunyuan-moe hunyuan-dense smollm3 gpt-oss lfm2 lfm2moe
    smallthinker seed_oss grovemoe apertus minimax-m2 cogvlm pangu-embedded mistral3 mistral4 paddleocr mimo2
    step35 maincoder kimi-linear mellum
    """.split()
)

ENCODERS = frozenset("bert nomic-bert".split())
"""They embed texts and say nothing. Others that the engine has were not tried, not even on made-up files."""

WHOLE_ROTARY = frozenset(
    """
    apertus arcee arctic baichuan chameleon codeshell cogvlm cohere2moe dbrx deci deepseek dots1 ernie4_5
    ernie4_5-moe exaone exaone4 exaone-moe falcon granite granitemoe grok grovemoe hunyuan-moe internlm2 jais2
    llama llama4 maincoder mellum mistral3 nemotron olmo olmo2 olmoe orion paddleocr pangu-embedded plamo qwen2
    qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe seed_oss smallthinker smollm3 starcoder2 xverse
    """.split()
)
"""The positions turn the whole of a head: the engine aborts if `rope.dimension_count` is not the head's length."""

LATENT = frozenset("deepseek2 deepseek32 glm-dsa minicpm3 plm kimi-linear mimo2 mistral4".split())
"""Keys and values may differ in length; of all others the engine demands that they agree."""

WITHOUT_HEADS = frozenset("mamba mamba2 rwkv6 rwkv7 arwkv7 rwkv6qwen2".split())
"""No attention in any block."""

STATE_SPACE = frozenset("mamba2 granitehybrid nemotron_h nemotron_h_moe falcon-h1".split())
"""The inner width is divided by the number of heads (`ssm.time_step_rank`) and by that of groups."""

HYBRID = frozenset("deci jamba granitehybrid nemotron_h nemotron_h_moe kimi-linear lfm2 lfm2moe".split())
"""Some blocks have attention and some have none, which their arrays of head counts say with a zero."""

WITHOUT_POSITIONS = frozenset("bloom gpt2 jais jamba kimi-linear mpt nemotron_h nemotron_h_moe refact".split())
"""Nothing is turned, so `rope.dimension_count` may be zero; with any other the engine never comes to an end."""
