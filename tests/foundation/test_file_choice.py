"""Which file of a repository is the model: listings as they are on hubs, and the right answer for each choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.foundation.file_choice import choose_file, draft_for, projector_for
from claude_local.foundation.quantisation import quant_of

GEMMA_3 = {
    **{f"gemma-3-4b-it-{quant}.gguf": 2_500 for quant in ("BF16", "IQ4_XS", "Q4_0", "Q4_K_M", "Q8_0")},
    **{f"gemma-3-4b-it-UD-{quant}.gguf": 2_500 for quant in ("IQ1_S", "Q4_K_XL", "Q8_K_XL")},
    **{f"mmproj-{quant}.gguf": 850 for quant in ("BF16", "F16", "F32")},
    "imatrix_unsloth.gguf": 4,
    "config.json": 0,
}
GEMMA_4_MTP = {
    "gemma-4-26B-A4B-it-UD-Q4_K_XL.gguf": 16_000,
    "gemma-4-26B-A4B-it-Q8_0.gguf": 27_000,
    "BF16/gemma-4-26B-A4B-it-BF16-00001-of-00002.gguf": 49_000,
    "BF16/gemma-4-26B-A4B-it-BF16-00002-of-00002.gguf": 2_000,
    "MTP/gemma-4-26B-A4B-it-Q4_0-MTP.gguf": 300,
    "MTP/gemma-4-26B-A4B-it-Q8_0-MTP.gguf": 500,
    "MTP/gemma-4-26B-A4B-it-BF16-MTP.gguf": 900,
    "mmproj-F16.gguf": 900,
}
GEMMA_4_QAT = {"gemma-4-E2B_q4_0-it.gguf": 3_350, "gemma-4-E2B-it-mmproj.gguf": 900}
QWEN_VL = {
    "Qwen2.5-VL-7B-Instruct-Q4_K_M.gguf": 4_700,
    "Qwen2.5-VL-7B-Instruct-Q8_0.gguf": 8_100,
    "Qwen2.5-VL-7B-Instruct-f16.gguf": 15_200,
    "mmproj-Qwen2.5-VL-7B-Instruct-Q8_0.gguf": 850,
    "mmproj-Qwen2.5-VL-7B-Instruct-f16.gguf": 1_350,
}
DOTTED = {
    "Qwen2.5-VL-7B.Q4_K_M.gguf": 4_700,
    "Qwen2.5-VL-7B.Q8_0.gguf": 8_100,
    "Qwen2.5-VL-7B.i1-IQ4_XS.gguf": 4_200,
    "Qwen2.5-VL-7B.mmproj-Q8_0.gguf": 850,
    "Qwen2.5-VL-7B.mmproj-fp16.gguf": 1_350,
    "Qwen2.5-VL-7B.imatrix.gguf": 5,
}
LOWER_CASE = {f"qwen2.5-1.5b-instruct-{quant}.gguf": 1 for quant in ("fp16", "q4_0", "q4_k_m", "q8_0")}
SHARDED = {
    f"{quant}/DeepSeek-V3.1-{quant}-{number:05}-of-00003.gguf": 49_000
    for quant in ("BF16", "Q4_K_M", "UD-Q4_K_XL", "UD-IQ2_XXS")
    for number in (1, 2, 3)
}
FOLDERS = {
    f"{quant}/model.gguf": 1 for quant in ("Q4_K_M", "Q8_0", "bf16")
} | {"Q4_K_M/mmproj.gguf": 1, "Q8_0/mmproj.gguf": 1}  # fmt: skip
SHARDS_BELOW = {
    f"{quant}/model-{number:05}-of-00002.gguf": 1 for quant in ("BF16", "Q4_K_M") for number in (1, 2)
}
LONG_NAMES = {
    "Qwen_Qwen3-30B-A3B-bf16/Qwen_Qwen3-30B-A3B-bf16-00001-of-00002.gguf": 40_000,
    "Qwen_Qwen3-30B-A3B-bf16/Qwen_Qwen3-30B-A3B-bf16-00002-of-00002.gguf": 21_000,
    "Qwen_Qwen3-30B-A3B-IQ4_NL.gguf": 17_000,
    "Qwen_Qwen3-30B-A3B-Q4_K_M.gguf": 18_000,
    "Qwen_Qwen3-30B-A3B-Q4_K_L.gguf": 18_000,
    "Qwen_Qwen3-30B-A3B-Q6_K.gguf": 25_000,
    "Qwen_Qwen3-30B-A3B-imatrix.gguf": 100,
}
MXFP4 = {f"gpt-oss-120b-mxfp4-{number:05}-of-00003.gguf": 21_000 for number in (1, 2, 3)}
MXFP4_MOE = {"gpt-oss-20b-MXFP4_MOE.gguf": 12_000, "gpt-oss-20b-F16.gguf": 14_000}
WITH_HEAD = {
    "M-Q6_K-MTP.gguf": 7_000,
    "M-Q4_K_M-MTP.gguf": 5_000,
    "mmproj-M-BF16.gguf": 460,
}
HEAD_OR_NOT = {"M-Q4_K_M.gguf": 5_000, "M-Q4_K_M-MTP.gguf": 5_200, "M-Q8_0-MTP.gguf": 9_000}
SMALL_HEAD = {"gemma-4-E4B-it-Q4_0.gguf": 5_000, "gemma-4-E4B-it-Q4_0-MTP.gguf": 90}
WITH_DRAFTS = {
    "Qwen3.8-27B-Q4_K_M.gguf": 17_000,
    "Qwen3.8-27B-DFlash-Q4_K_M.gguf": 2_000,
    "Qwen3.8-27B-EAGLE3-F16.gguf": 900,
    "draft/Qwen3-0.6B-Q8_0.gguf": 600,
}
MADE_WITH_MATRIX = {"M-Q4_K_M-imat.gguf": 5_000, "M-imatrix-Q8_0.gguf": 8_000, "imatrix.gguf": 5}
HYPHENS = {"m-q4-k-m.gguf": 1, "m.q6.k.gguf": 1, "m_IQ3_XXS.gguf": 1, "m-UD_Q2_K_XL.gguf": 1}
LLAVA = {"ggml-model-f16.gguf": 13_000, "ggml-model-q4_k.gguf": 4_000, "mmproj-model-f16.gguf": 600}
BITS = {"M-IQ4_XS-4.25bpw.gguf": 1, "M-Q8_0-1.5b.gguf": 1, "mtp-M-Q8_0.gguf": 1, "MTP/M-Q6_K-MTP.gguf": 1}
HEAD_IN_ALL_NAMES = {"Ornith-1.5-9B-MTP-IQ2_M.gguf": 3_400, "mmproj-Ornith-1.5-9B-BF16.gguf": 900}
HEAD_TWICE = {"M-Q6_K-MTP.gguf": 1, "MTP/M-Q6_K-MTP.gguf": 1}
THREE = {"X.Q4_K_M.gguf": 1, "X.Q8_0.gguf": 1, "X.mmproj-Q8_0.gguf": 1}
ONE_AND_PROJECTOR = {"gemma-3-4b-it-Q5_K_M.gguf": 1, "gemma-3-4b-it-mmproj-Q4_0.gguf": 1}
TWO_SIZES = {
    **{f"gemma-4-{size}-it-UD-Q4_K_XL.gguf": 4_000 for size in ("E2B", "E4B")},
    **{f"mmproj-BF16-{size}.gguf": 900 for size in ("E2B", "E4B")},
}
REPACKED = {"m-Q4_0.gguf": 1, "m-Q4_0_4_4.gguf": 1, "m-Q4_0_8_8.gguf": 1, "m-IQ4_KSS.gguf": 1}


@pytest.mark.parametrize(
    ("files", "choice", "expected"),
    [
        (GEMMA_3, "", "gemma-3-4b-it-Q4_K_M.gguf"),
        (GEMMA_3, "bf16", "gemma-3-4b-it-BF16.gguf"),
        (GEMMA_3, "UD-Q4_K_XL", "gemma-3-4b-it-UD-Q4_K_XL.gguf"),
        (GEMMA_4_MTP, "", "gemma-4-26B-A4B-it-UD-Q4_K_XL.gguf"),
        (GEMMA_4_MTP, "Q8_0", "gemma-4-26B-A4B-it-Q8_0.gguf"),
        (GEMMA_4_MTP, "BF16", "BF16/gemma-4-26B-A4B-it-BF16-00001-of-00002.gguf"),
        (GEMMA_4_QAT, "", "gemma-4-E2B_q4_0-it.gguf"),
        (GEMMA_4_QAT, "Q4_0", "gemma-4-E2B_q4_0-it.gguf"),
        (QWEN_VL, "F16", "Qwen2.5-VL-7B-Instruct-f16.gguf"),
        (QWEN_VL, "Q8_0", "Qwen2.5-VL-7B-Instruct-Q8_0.gguf"),
        (DOTTED, "q8_0", "Qwen2.5-VL-7B.Q8_0.gguf"),
        (DOTTED, "IQ4_XS", "Qwen2.5-VL-7B.i1-IQ4_XS.gguf"),
        (DOTTED, "i1-IQ4_XS", "Qwen2.5-VL-7B.i1-IQ4_XS.gguf"),
        (LOWER_CASE, "", "qwen2.5-1.5b-instruct-q4_k_m.gguf"),
        (LOWER_CASE, "F16", "qwen2.5-1.5b-instruct-fp16.gguf"),
        (SHARDED, "", "Q4_K_M/DeepSeek-V3.1-Q4_K_M-00001-of-00003.gguf"),
        (SHARDED, "UD-IQ2_XXS", "UD-IQ2_XXS/DeepSeek-V3.1-UD-IQ2_XXS-00001-of-00003.gguf"),
        (FOLDERS, "", "Q4_K_M/model.gguf"),
        (FOLDERS, "BF16", "bf16/model.gguf"),
        (SHARDS_BELOW, "BF16", "BF16/model-00001-of-00002.gguf"),
        (SHARDS_BELOW, "q4_k_m", "Q4_K_M/model-00001-of-00002.gguf"),
        (LONG_NAMES, "Q6_K", "Qwen_Qwen3-30B-A3B-Q6_K.gguf"),
        (LONG_NAMES, "BF16", "Qwen_Qwen3-30B-A3B-bf16/Qwen_Qwen3-30B-A3B-bf16-00001-of-00002.gguf"),
        (LONG_NAMES, "iq4-nl", "Qwen_Qwen3-30B-A3B-IQ4_NL.gguf"),
        (MXFP4, "", "gpt-oss-120b-mxfp4-00001-of-00003.gguf"),
        (MXFP4, "MXFP4", "gpt-oss-120b-mxfp4-00001-of-00003.gguf"),
        (MXFP4_MOE, "", "gpt-oss-20b-MXFP4_MOE.gguf"),
        (MXFP4_MOE, "mxfp4_moe", "gpt-oss-20b-MXFP4_MOE.gguf"),
        (WITH_HEAD, "", "M-Q4_K_M-MTP.gguf"),
        (WITH_HEAD, "Q6_K", "M-Q6_K-MTP.gguf"),
        (HEAD_OR_NOT, "Q4_K_M", "M-Q4_K_M.gguf"),
        (HEAD_OR_NOT, "Q8_0", "M-Q8_0-MTP.gguf"),
        (SMALL_HEAD, "", "gemma-4-E4B-it-Q4_0.gguf"),
        (WITH_DRAFTS, "", "Qwen3.8-27B-Q4_K_M.gguf"),
        (WITH_DRAFTS, "draft/Qwen3-0.6B-Q8_0.gguf", "draft/Qwen3-0.6B-Q8_0.gguf"),
        (MADE_WITH_MATRIX, "", "M-Q4_K_M-imat.gguf"),
        (MADE_WITH_MATRIX, "Q8_0", "M-imatrix-Q8_0.gguf"),
        (HYPHENS, "", "m-q4-k-m.gguf"),
        (HYPHENS, "Q6_K", "m.q6.k.gguf"),
        (HYPHENS, "iq3.xxs", "m_IQ3_XXS.gguf"),
        (HYPHENS, "UD-Q2_K_XL", "m-UD_Q2_K_XL.gguf"),
        (LLAVA, "Q4_K", "ggml-model-q4_k.gguf"),
        (LLAVA, "F16", "ggml-model-f16.gguf"),
        (BITS, "IQ4_XS", "M-IQ4_XS-4.25bpw.gguf"),
        (BITS, "Q8_0", "M-Q8_0-1.5b.gguf"),
        (HEAD_IN_ALL_NAMES, "", "Ornith-1.5-9B-MTP-IQ2_M.gguf"),
        (HEAD_IN_ALL_NAMES, "IQ2_M", "Ornith-1.5-9B-MTP-IQ2_M.gguf"),
        (HEAD_TWICE, "Q6_K", "M-Q6_K-MTP.gguf"),
        (HEAD_TWICE, "", "M-Q6_K-MTP.gguf"),
        (THREE, "Q8_0", "X.Q8_0.gguf"),
        (ONE_AND_PROJECTOR, "", "gemma-3-4b-it-Q5_K_M.gguf"),
        (TWO_SIZES, "gemma-4-E4B-it-UD-Q4_K_XL.gguf", "gemma-4-E4B-it-UD-Q4_K_XL.gguf"),
        (SHARDED, "DeepSeek-V3.1-BF16-00001-of-00003.gguf", "BF16/DeepSeek-V3.1-BF16-00001-of-00003.gguf"),
        (REPACKED, "Q4_0", "m-Q4_0.gguf"),
        (REPACKED, "Q4_0_4_4", "m-Q4_0_4_4.gguf"),
        (REPACKED, "IQ4_KSS", "m-IQ4_KSS.gguf"),
    ],
)  # fmt: skip
def test_the_model_of_a_repository_is_found(files: dict[str, int], choice: str, expected: str) -> None:
    assert choose_file("o/n", files, choice) == expected


@pytest.mark.parametrize(
    ("files", "choice", "message", "first_offer"),
    [
        ({"m-Q8_0.gguf": 1, "m-mmproj-F16.gguf": 1}, "F16", "o/n has no GGUF file for `F16`", "m-Q8_0.gguf"),
        (GEMMA_3, "F16", "o/n has no GGUF file for `F16`", "gemma-3-4b-it-BF16.gguf"),
        (GEMMA_3, "Q4_K", "o/n has no GGUF file for `Q4_K`", "gemma-3-4b-it-BF16.gguf"),
        (GEMMA_3, "Q8_K_XL", "o/n has no GGUF file for `Q8_K_XL`", "gemma-3-4b-it-BF16.gguf"),
        (GEMMA_3, "small", "o/n has no GGUF file for `small`", "gemma-3-4b-it-BF16.gguf"),
        (GEMMA_4_MTP, "Q4_0", "o/n has no GGUF file for `Q4_0`", "BF16/gemma-4-26B"),
        (REPACKED, "IQ4_KS", "o/n has no GGUF file for `IQ4_KS`", "m-IQ4_KSS.gguf"),
        (TWO_SIZES, "", "`UD-Q4_K_XL` matches several files in o/n", "gemma-4-E2B-it-UD"),
        ({"a-IQ1_S.gguf": 1, "a-F32.gguf": 1}, "", "o/n has none of the usual quantisations", "a-F32.gguf"),
        (GEMMA_3, "mmproj-F16.gguf", "mmproj-F16.gguf in o/n is a projector for images or sound, not a model", ""),
        (GEMMA_3, "imatrix_unsloth.gguf", "imatrix_unsloth.gguf in o/n is an importance matrix, not a model", ""),
        ({"mmproj-F16.gguf": 1}, "", "o/n has no model, only: projector", "mmproj-F16.gguf"),
        (
            {"MTP/m-Q8_0.gguf": 1, "imatrix.gguf": 1},
            "Q8_0",
            "o/n has no model, only: draft model, importance matrix",
            "MTP/m-Q8_0.gguf",
        ),
        (
            {"M.Q8_0.gguf.part1of2": 1, "M.Q8_0.gguf.part2of2": 1},
            "Q8_0",
            "o/n has its GGUF files cut into pieces, which llama-server cannot load",
            None,
        ),
        ({"model.safetensors": 1}, "", "o/n has no GGUF files", None),
    ],
)  # fmt: skip
def test_if_there_is_no_such_model_the_files_are_named(
    files: dict[str, int], choice: str, message: str, first_offer: str | None
) -> None:
    with pytest.raises(UserError) as caught:
        choose_file("o/n", files, choice)

    assert caught.value.message == message
    offers = [line for line in caught.value.hint.splitlines() if line.startswith("o/n:")]
    assert first_offer is None or offers[0].startswith(f"o/n:{first_offer}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("files", "model", "expected"),
    [
        (GEMMA_3, "gemma-3-4b-it-Q4_K_M.gguf", "mmproj-F16.gguf"),
        (GEMMA_4_QAT, "gemma-4-E2B_q4_0-it.gguf", "gemma-4-E2B-it-mmproj.gguf"),
        (QWEN_VL, "Qwen2.5-VL-7B-Instruct-Q4_K_M.gguf", "mmproj-Qwen2.5-VL-7B-Instruct-f16.gguf"),
        (DOTTED, "Qwen2.5-VL-7B.Q8_0.gguf", "Qwen2.5-VL-7B.mmproj-fp16.gguf"),
        (FOLDERS, "Q8_0/model.gguf", "Q8_0/mmproj.gguf"),
        (TWO_SIZES, "gemma-4-E4B-it-UD-Q4_K_XL.gguf", "mmproj-BF16-E4B.gguf"),
        (LLAVA, "ggml-model-q4_k.gguf", "mmproj-model-f16.gguf"),
        (THREE, "X.Q8_0.gguf", "X.mmproj-Q8_0.gguf"),
        (ONE_AND_PROJECTOR, "gemma-3-4b-it-Q5_K_M.gguf", "gemma-3-4b-it-mmproj-Q4_0.gguf"),
        (LONG_NAMES, "Qwen_Qwen3-30B-A3B-Q6_K.gguf", None),
    ],
)
def test_the_projector_of_a_model_is_found(files: dict[str, int], model: str, expected: str | None) -> None:
    assert projector_for(model, files) == expected


@pytest.mark.parametrize(
    ("files", "model", "expected"),
    [
        (GEMMA_4_MTP, "gemma-4-26B-A4B-it-Q8_0.gguf", "MTP/gemma-4-26B-A4B-it-Q8_0-MTP.gguf"),
        (GEMMA_4_MTP, "gemma-4-26B-A4B-it-UD-Q4_K_XL.gguf", "MTP/gemma-4-26B-A4B-it-Q8_0-MTP.gguf"),
        (SMALL_HEAD, "gemma-4-E4B-it-Q4_0.gguf", "gemma-4-E4B-it-Q4_0-MTP.gguf"),
        (WITH_HEAD, "M-Q6_K-MTP.gguf", None),
        (WITH_DRAFTS, "Qwen3.8-27B-Q4_K_M.gguf", "Qwen3.8-27B-DFlash-Q4_K_M.gguf"),
    ],
)
def test_the_draft_model_of_a_model_is_found(files: dict[str, int], model: str, expected: str | None) -> None:
    assert draft_for(model, files) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Qwen3.8-27B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("llama-2-7b-chat.Q4_K_M.gguf", "Q4_K_M"),
        ("Huihui-gpt-oss-120b-BF16-abliterated.i1-IQ4_XS.gguf", "IQ4_XS"),
        ("Qwen3.8-27B-GSQ-RCO-IQ3_XXS-mtp.gguf", "IQ3_XXS"),
        ("Ternary-Bonsai-2-27B-PTQ1_0.gguf", "PTQ1_0"),
        ("bitnet-TQ2_0.gguf", "TQ2_0"),
        ("M-Q6_K_L.gguf", "Q6_K_L"),
        ("M-F32.gguf", "F32"),
        ("Q4_K_M.gguf", "Q4_K_M"),
        ("M-Q8_K_R8.gguf", "Q8_K_R8"),
        ("M-IQ1_S_R4.gguf", "IQ1_S_R4"),
        ("M-Q3_K_XXL.gguf", "Q3_K_XXL"),
        ("Q8_0/M-bf16.gguf", "BF16"),
        ("Qwen3-4B.gguf", ""),
        ("MQ4_K_M.gguf", ""),
        ("seq8-model.gguf", ""),
        ("model-4096.gguf", ""),
    ],
)
def test_a_quantisation_is_read_from_a_path(path: str, expected: str) -> None:
    assert quant_of(path) == expected
    assert quant_of(str(Path("folder") / path)) == expected
