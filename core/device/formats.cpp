#include "core/device/formats.h"

#include <algorithm>
#include <array>

namespace phiscope::device {
namespace {

struct EngineRow {
  std::string_view id, name;
};
// To add an engine: a row, its formats below, and its id in the profiles of the devices that run it.
constexpr std::array kEngines{
    EngineRow{"phiscope", "Phiscope's own CPU backend"}, EngineRow{"llama.cpp", "llama.cpp"},
    EngineRow{"onnxruntime-genai", "ONNX Runtime GenAI"}, EngineRow{"openvino", "OpenVINO GenAI"},
    EngineRow{"openvino-npu", "OpenVINO GenAI (NPU)"},    EngineRow{"mlx", "MLX"},
    EngineRow{"qnn", "Qualcomm QNN"},                     EngineRow{"executorch", "ExecuTorch"},
    EngineRow{"vllm", "vLLM"},                            EngineRow{"tensorrt-llm", "TensorRT-LLM"},
};

constexpr std::string_view kAll = "phi phi3 phi3small phimoe";
constexpr std::string_view kDense = "phi phi3";
constexpr std::string_view kPhi3 = "phi3";

// To add a format: a row. Order is the order in which equals are shown.
constexpr std::array kFormats{
    // Phiscope: what `phiscope bench` measured is this.
    DeployFormat{"phiscope:int4", "Phiscope INT4 g32", "phiscope", "int4", 4.5, 8, 8, "fp32", "cpu", "phi phi3 phimoe", "int4-sym-g32", "int4",
                 "phiscope quantize {model} --recipe int4 --out {out}", "the engine of this workbench; to ship the same weights, export them to GGUF"},
    DeployFormat{"phiscope:int8", "Phiscope INT8", "phiscope", "int8", 8, 8, 8, "fp32", "cpu", "phi phi3 phimoe", "int8-channel", "int8",
                 "phiscope quantize {model} --recipe int8 --out {out}", "the engine of this workbench; to ship, export to GGUF Q8_0 or ONNX"},
    DeployFormat{"phiscope:bf16", "Phiscope BF16", "phiscope", "bf16", 16, 16, 16, "bf16 fp32", "cpu", "phi phi3 phimoe", "", "bf16",
                 "phiscope quantize {model} --recipe bf16 --out {out}", "the engine of this workbench"},
    // ONNX, by the builder of ONNX Runtime GenAI 0.18. On a CPU the scales of MatMulNBits are FP32, the embedding stays FP32.
    DeployFormat{"onnx:int4-cpu", "ONNX INT4 g32", "onnxruntime-genai", "int4", 5, 5, 32, "int8 fp32", "cpu", kAll, "int4-sym-g32", "int4",
                 "python3 -m onnxruntime_genai.models.builder -i {model} -o {out} -p int4 -e cpu --extra_options block_size=32",
                 "the builder's default rounds activations to 8 bits (accuracy_level 4); accuracy_level=1 keeps FP32"},
    DeployFormat{"onnx:int8-cpu", "ONNX INT8 g32", "onnxruntime-genai", "int8", 9, 9, 32, "int8 fp32", "cpu", kAll, "int8-channel", "int8",
                 "python3 -m onnxruntime_genai.models.builder -i {model} -o {out} -p int8 -e cpu --extra_options block_size=32", ""},
    DeployFormat{"onnx:fp32-cpu", "ONNX FP32", "onnxruntime-genai", "fp32", 32, 32, 32, "fp32", "cpu", kAll, "", "fp32",
                 "python3 -m onnxruntime_genai.models.builder -i {model} -o {out} -p fp32 -e cpu", ""},
    DeployFormat{"onnx:int4-gpu", "ONNX INT4 g32", "onnxruntime-genai", "int4", 4.5, 4.5, 16, "fp16 fp32", "gpu", kAll, "int4-sym-g32", "int4",
                 "python3 -m onnxruntime_genai.models.builder -i {model} -o {out} -p int4 -e cuda --extra_options block_size=32",
                 "-e dml instead of -e cuda for DirectML on Windows"},
    DeployFormat{"onnx:int8-gpu", "ONNX INT8 g32", "onnxruntime-genai", "int8", 8.5, 8.5, 16, "fp16 fp32", "gpu", kAll, "int8-channel", "int8",
                 "python3 -m onnxruntime_genai.models.builder -i {model} -o {out} -p int8 -e cuda --extra_options block_size=32", ""},
    DeployFormat{"onnx:fp16-gpu", "ONNX FP16", "onnxruntime-genai", "fp16", 16, 16, 16, "fp16 fp32", "gpu", kAll, "", "fp16",
                 "python3 -m onnxruntime_genai.models.builder -i {model} -o {out} -p fp16 -e cuda", "-e dml instead of -e cuda for DirectML on Windows"},
    // GGUF for llama.cpp.
    DeployFormat{"gguf:Q4_0", "GGUF Q4_0", "llama.cpp", "int4", 4.5, 8.5, 8.5, "int8 fp16 fp32", "cpu gpu", "phi phi3 phimoe", "int4-sym-g32", "int4",
                 "phiscope quantize {model} --recipe int4 --format gguf:Q4_0 --out {out}.gguf",
                 "weights exactly as measured with the recipe int4; llama.cpp rounds activations to 8 bits in blocks of 32, like int4-dyn"},
    DeployFormat{"gguf:Q4_K_M", "GGUF Q4_K_M", "llama.cpp", "int4", 4.85, 6.5625, 4.5, "int8 fp16 fp32", "cpu gpu", "phi phi3 phimoe", "gguf-q4_k_m", "",
                 "llama-quantize {out}-f16.gguf {out}.gguf Q4_K_M",
                 "first: convert_hf_to_gguf.py {model} --outfile {out}-f16.gguf; Phiscope measures the file: phiscope bench {out}.gguf --recipe source"},
    DeployFormat{"gguf:Q8_0", "GGUF Q8_0", "llama.cpp", "int8", 8.5, 8.5, 8.5, "int8 fp16 fp32", "cpu gpu", "phi phi3 phimoe", "int8-channel", "int8",
                 "phiscope quantize {model} --recipe int8 --format gguf:Q8_0 --out {out}.gguf", "scales per block of 32: no worse than the recipe int8"},
    DeployFormat{"gguf:BF16", "GGUF BF16", "llama.cpp", "bf16", 16, 16, 16, "bf16 fp16 fp32", "cpu gpu", "phi phi3 phimoe", "", "bf16",
                 "phiscope quantize {model} --recipe bf16 --format gguf:BF16 --out {out}.gguf", ""},
    // OpenVINO, by optimum-intel: embedding and head 8 bits beside 4-bit layers.
    DeployFormat{"openvino:int4", "OpenVINO INT4 asym g64", "openvino", "int4", 4.3125, 8, 8, "int8 fp16 bf16 fp32", "cpu gpu", kDense, "int4-asym-g64", "",
                 "optimum-cli export openvino --model {model} --task text-generation-with-past --weight-format int4 --group-size 64 --ratio 1.0 "
                 "--dataset wikitext2 --scale-estimation {out}",
                 "Phi-3-medium in INT4 was reported to give NaN on Intel GPUs (nncf #2760)"},
    DeployFormat{"openvino:int8", "OpenVINO INT8", "openvino", "int8", 8, 8, 8, "int8 fp16 bf16 fp32", "cpu gpu", kDense, "int8-channel", "int8",
                 "optimum-cli export openvino --model {model} --task text-generation-with-past --weight-format int8 {out}", ""},
    DeployFormat{"openvino:fp16", "OpenVINO FP16", "openvino", "fp16", 16, 16, 16, "fp16 bf16 fp32", "cpu gpu", kDense, "", "fp16",
                 "optimum-cli export openvino --model {model} --task text-generation-with-past --weight-format fp16 {out}", ""},
    DeployFormat{"openvino-npu:int4", "OpenVINO INT4 sym", "openvino-npu", "int4", 4, 8, 8, "fp16 int8", "npu", kPhi3, "int4-sym-channel", "",
                 "optimum-cli export openvino --model {model} --task text-generation-with-past --weight-format int4 --sym --ratio 1.0 --group-size -1 {out}",
                 "the only 4-bit form that Intel's NPU takes; failures of some drivers with Phi-4-mini are reported"},
    // MLX.
    DeployFormat{"mlx:4bit", "MLX 4-bit g64", "mlx", "int4", 4.5, 4.5, 4.5, "fp16 fp32", "gpu", kAll, "int4-asym-g64", "",
                 "python3 -m mlx_lm convert --hf-path {model} -q --q-bits 4 --q-group-size 64 --mlx-path {out}",
                 "MLX uses the long longrope factors at every position: outputs differ from transformers on short prompts of 128k models"},
    DeployFormat{"mlx:8bit", "MLX 8-bit g64", "mlx", "int8", 8.5, 8.5, 8.5, "fp16 fp32", "gpu", kAll, "int8-channel", "int8",
                 "python3 -m mlx_lm convert --hf-path {model} -q --q-bits 8 --q-group-size 64 --mlx-path {out}", ""},
    DeployFormat{"mlx:bf16", "MLX BF16", "mlx", "bf16", 16, 16, 16, "fp16 fp32", "gpu", kAll, "", "bf16",
                 "python3 -m mlx_lm convert --hf-path {model} --dtype bfloat16 --mlx-path {out}", ""},
    // Phones and NPUs.
    DeployFormat{"qnn:w4a16", "QNN w4a16", "qnn", "int4", 4, 8.25, 16, "int8", "npu", kPhi3, "int4-sym-channel", "",
                 "python3 -m qai_hub_models.models.phi_3_5_mini_instruct.export",
                 "Qualcomm AI Hub exports Phi-3.5-mini; other Phi models go through Microsoft's Olive recipes; static shapes, one context length"},
    DeployFormat{"executorch:8da4w", "ExecuTorch 8da4w g32", "executorch", "int4", 4.5, 4.5, 8, "int8 fp32", "cpu", kPhi3, "int4-sym-g32", "int4-dyn",
                 "optimum-cli export executorch --model {model} --task text-generation --recipe xnnpack --use_custom_sdpa --use_custom_kv_cache "
                 "--qlinear 8da4w --qlinear_group_size 32 --qembedding 8w --output_dir {out}",
                 "8-bit activations made at run time"},
    // Servers.
    DeployFormat{"vllm:int4", "compressed-tensors INT4 g128", "vllm", "int4", 4.125, 16, 16, "fp16", "gpu", kDense, "int4-sym-g128", "int4:g128",
                 "phiscope quantize {model} --recipe int4:g128:lm_head=source:embedding=source --format hf --out {out}", "serve it: vllm serve {out}"},
    DeployFormat{"vllm:fp8", "FP8 (vLLM)", "vllm", "fp8", 8, 16, 16, "fp8", "gpu", kDense, "fp8", "",
                 "vllm serve {model} --quantization fp8", "weights are rounded while loading; nothing is written"},
    DeployFormat{"vllm:bf16", "BF16 (vLLM)", "vllm", "bf16", 16, 16, 16, "bf16 fp16", "gpu", kAll, "", "bf16", "vllm serve {model} --dtype bfloat16", ""},
    DeployFormat{"tensorrt-llm:fp8", "FP8 (TensorRT-LLM)", "tensorrt-llm", "fp8", 8, 16, 16, "fp8", "gpu", kPhi3, "fp8", "",
                 "python3 examples/llm_ptq/hf_ptq.py --pyt_ckpt_path {model} --qformat fp8 --export_path {out}", "hf_ptq.py is in NVIDIA's Model Optimizer"},
    DeployFormat{"tensorrt-llm:bf16", "BF16 (TensorRT-LLM)", "tensorrt-llm", "bf16", 16, 16, 16, "bf16 fp16", "gpu", kPhi3, "", "bf16",
                 "trtllm-serve {model}", ""},
};

bool needs_quotes(std::string_view text) {
  return text.empty() || !std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("/._-+:@%=,").find(c) != std::string_view::npos;
  });
}

std::string shell_word(std::string_view text) {
  if (!needs_quotes(text)) return std::string(text);
  std::string result = "'";
  for (const char character : text) result += character == '\'' ? std::string("'\\''") : std::string(1, character);
  return result + "'";
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
}

}  // namespace

std::span<const DeployFormat> deploy_formats() { return kFormats; }

bool is_engine(std::string_view id) {
  return std::any_of(kEngines.begin(), kEngines.end(), [&](const EngineRow& row) { return row.id == id; });
}

std::string_view engine_name(std::string_view id) {
  for (const EngineRow& row : kEngines)
    if (row.id == id) return row.name;
  return id;
}

std::string engine_names() {
  std::string names;
  for (const EngineRow& row : kEngines) names += (names.empty() ? "" : ", ") + std::string(row.id);
  return names;
}

bool has_word(std::string_view list, std::string_view word) {
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(' ', begin), list.size());
    if (list.substr(begin, end - begin) == word) return true;
    begin = end + 1;
  }
  return false;
}

bool runs_on(const DeployFormat& format, const ComputeUnit& unit) {
  static constexpr std::array<std::string_view, 3> kKinds{"cpu", "gpu", "npu"};
  return has_word(format.units, kKinds[static_cast<size_t>(unit.kind)]) && std::find(unit.engines.begin(), unit.engines.end(), format.engine) != unit.engines.end();
}

std::string command_for(const DeployFormat& format, std::string_view model) {
  std::string out(format.id);
  std::replace(out.begin(), out.end(), ':', '-');
  std::string command(format.command);
  replace_all(command, "{model}", shell_word(model));
  replace_all(command, "{out}", "phi-" + out);
  return command;
}

}  // namespace phiscope::device
