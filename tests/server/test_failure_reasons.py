"""failure_reasons: the one line with the reason why a model failed."""

from __future__ import annotations

import pytest

from claude_local.server.failure_reasons import reason_in


def test_the_reason_is_the_first_error_of_the_model_that_failed() -> None:
    lines = [
        "0.00.010.000 I srv  main: starting",
        "[40001] 0.00.100.000 I llama_model_load: loading model",
        "[40001] 0.00.200.000 E llama_model_load: error loading model: bad magic",
        "[40001] 0.00.300.000 E srv    load_model: failed to load model",
        "0.00.400.000 E srv  router: instance exited",
    ]

    assert reason_in(lines) == "error loading model: bad magic"


def test_the_reason_belongs_to_the_last_model_not_an_earlier_one() -> None:
    lines = [
        "[40001] 0.00.200.000 E llama_model_load: the first reason",
        "[40002] 0.00.200.000 I llama_model_load: loading model",
        "[40002] 0.00.300.000 E llama_model_load: the second reason",
        "[40002] 0.00.400.000 I srv: exiting",
    ]

    assert reason_in(lines) == "the second reason"


def test_the_router_lines_about_missing_files_are_not_the_reason() -> None:
    lines = [
        "0.00.010.000 E srv  presets: error: file /models/other.gguf does not exist",
        "[40001] 0.00.100.000 I llama_model_load: loading model",
        "[40001] 0.00.200.000 I srv: out of memory",
        "[40001] 0.00.300.000 I srv: bye",
    ]

    assert reason_in(lines) == "out of memory / bye"


def test_a_line_with_the_word_error_counts_in_any_case() -> None:
    lines = ["[40001] ggml_cuda_init: CUDA ERROR: out of memory", "[40001] done"]

    assert reason_in(lines) == "ggml_cuda_init: CUDA ERROR: out of memory"


def test_without_any_model_the_lines_of_the_router_count() -> None:
    lines = ["0.00.010.000 I srv: starting", "0.00.020.000 E srv  main: cannot read the key file"]

    assert reason_in(lines) == "main: cannot read the key file"


def test_without_any_error_the_last_two_lines_are_the_reason() -> None:
    assert reason_in(["one", "two", "three"]) == "two / three"


def test_an_empty_log_has_no_reason() -> None:
    assert reason_in([]) == ""


DEVICE_0 = (
    "llama_model_load_from_file_impl: using device CUDA0 (NVIDIA RTX 4090) (0000:01:00.0) - 18883 MiB free"
)
DEVICE_1 = (
    "llama_model_load_from_file_impl: using device CUDA1 (NVIDIA RTX 5070 Ti) (0000:02:00.0) - 15000 MiB free"
)
NO_ROOM = (
    "ggml_backend_cuda_buffer_type_alloc_buffer: "
    "allocating 20313.50 MiB on device 0: cudaMalloc failed: out of memory"
)


def test_missing_memory_is_given_in_gigabytes_with_the_card() -> None:
    lines = [
        f"[40001] 0.00.100.000 I {DEVICE_0}",
        f"[40001] 0.00.100.000 I {DEVICE_1}",
        f"[40001] 0.00.200.000 E {NO_ROOM}",
        "[40001] 0.00.200.100 E llama_model_load: error loading model: unable to allocate CUDA0 buffer",
    ]

    assert (
        reason_in(lines)
        == "out of memory on GPU 0: no room for a buffer of 21.3 GB (19.8 GB were free before loading)"
    )


def test_memory_that_earlier_buffers_took_explains_a_buffer_below_the_free_memory() -> None:
    lines = [DEVICE_0.replace("18883 MiB", "20981 MiB"), NO_ROOM]

    assert reason_in(lines) == (
        "out of memory on GPU 0: no room for a buffer of 21.3 GB "
        "(22.0 GB were free before loading; earlier buffers used some of it)"
    )


def test_missing_memory_is_reported_even_without_the_lines_on_free_memory() -> None:
    assert reason_in([NO_ROOM]) == "out of memory on GPU 0: no room for a buffer of 21.3 GB"


def test_without_any_error_the_given_reason_comes_before_the_last_lines() -> None:
    assert reason_in(["one", "two"], "the container is exited, exit code 137") == (
        "the container is exited, exit code 137"
    )
    assert reason_in(["one", "an error"], "exit code 1") == "an error"


DEVICE = "using device CUDA0 (NVIDIA GeForce GTX 1080) (0000:01:00.0) - 8000 MiB free"
NO_KERNEL = [
    "[1] ggml_cuda_compute_forward: RMS_NORM failed",
    "[1] CUDA error: no kernel image is available for execution on the device",
    "[1]   current device: 0, in function ggml_cuda_compute_forward at ggml-cuda.cu:2761",
    "[1] ggml-cuda.cu:97: CUDA error",
]
ARCHITECTURE = "error loading model: error loading model architecture: unknown model architecture: 'new'"
TABLE = {
    "a card that the image was not built for": (
        ["[1]   Device 0: NVIDIA GeForce GTX 1080, compute capability 6.1, VMM: yes", *NO_KERNEL],
        "this image has no code for GPU 0 (NVIDIA GeForce GTX 1080, compute capability 6.1); "
        'build one for it: invoke build-image --architectures "61-real"',
    ),
    "the same without its capability": (
        [f"[1] 0.1 I llama_prepare_model_devices: {DEVICE}", *NO_KERNEL],
        "this image has no code for GPU 0 (NVIDIA GeForce GTX 1080); build one for it: invoke build-image",
    ),
    "the same without the card": (
        NO_KERNEL,
        "this image has no code for GPU 0; build one for it: invoke build-image",
    ),
    "the operation before the error of CUDA": (
        [
            "[1] ggml_cuda_compute_forward: MUL_MAT failed",
            "[1] CUDA error: an illegal memory access was encountered",
            "[1]   current device: 1, in function ggml_cuda_compute_forward at ggml-cuda.cu:2761",
        ],
        "CUDA error: an illegal memory access was encountered",
    ),
    "a driver that is too old": (
        [
            "[1] 0.1 E ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient",
            "[1] 0.2 E llama_model_load: error loading model: no devices",
        ],
        "failed to initialize CUDA: CUDA driver version is insufficient",
    ),
    "an architecture, after the fitting has failed": (
        [
            f"[1] 0.1 E llama_model_load: {ARCHITECTURE}",
            "[1] 0.2 E llama_model_load_from_file_impl: failed to load model",
            "[1] 0.3 E common_fit_params: encountered an error while trying to fit params to free device memory",
            "[1] 0.4 E cmn  common_init_: failed to load model '/models/new.gguf'",
        ],
        ARCHITECTURE,
    ),
    "fitting that fails before the reason": (
        [
            "[1] 0.1 E common_fit_params: failed to fit params to free device memory",
            "[1] 0.2 E srv    load_model: failed to load model, '/models/a.gguf'",
            "[1] 0.3 E gguf_init_from_file: failed to open GGUF file '/models/a.gguf' (No such file or directory)",
        ],
        "failed to open GGUF file '/models/a.gguf' (No such file or directory)",
    ),
    "a cache that does not fit": (
        [
            "[1] 0.1 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
            "[1] 0.2 E common_init_from_params: failed to create context with model '/models/a.gguf'",
        ],
        "failed to initialize the context: failed to allocate buffer for kv cache",
    ),
    "memory that cannot be locked, which is survived": (
        [
            "[1] 0.1 E warning: failed to mlock 5 bytes buffer: Cannot allocate memory",
            "[1] 0.2 E llama_model_load: error loading model: missing tensor 'blk.0.attn_q.weight'",
        ],
        "error loading model: missing tensor 'blk.0.attn_q.weight'",
    ),
    "an exception": (
        [
            "[1] terminate called after throwing an instance of 'vk::DeviceLostError'",
            "[1]   what():  vk::Queue::submit: ErrorDeviceLost",
        ],
        "what():  vk::Queue::submit: ErrorDeviceLost",
    ),
    "an assertion alone": (["[1] a.cpp:5: GGML_ASSERT(n > 0) failed"], "a.cpp:5: GGML_ASSERT(n > 0) failed"),
    "a warning about an error": (
        ["[1] 0.1 W load: control token is not marked: error", "[1] 0.2 E srv: failed to parse the template"],
        "failed to parse the template",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_line_that_tells_most_is_the_reason(name: str) -> None:
    lines, reason = TABLE[name]

    assert reason_in(lines) == reason
