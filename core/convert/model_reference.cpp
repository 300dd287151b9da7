// What a MODEL argument means, and what is refused by name with the way out.

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/convert/artifact.h"
#include "core/format/gguf.h"

namespace phiscope {
namespace {

constexpr std::string_view kSafetensorsCommand =
    "python3 -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('FOLDER').save_pretrained('NEW_FOLDER')\"";
constexpr std::string_view kFromTensorFlowCommand =
    "python3 -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('FOLDER', from_tf=True).save_pretrained('NEW_FOLDER')\"";

struct RefusedFile {
  std::string_view extension;
  std::string_view what, remedy;
  std::string_view command = kSafetensorsCommand;
};
// Files that are no source for quantizing. Pickles run code when they are read; the others have lost what a quantizer needs.
constexpr std::array kRefusedFiles{
    RefusedFile{".bin", "a PyTorch pickle", "convert it to safetensors: "},
    RefusedFile{".pt", "a PyTorch pickle", "convert it to safetensors: "},
    RefusedFile{".pth", "a PyTorch pickle", "convert it to safetensors: "},
    RefusedFile{".ckpt", "a PyTorch pickle", "convert it to safetensors: "},
    RefusedFile{".h5", "a Keras file", "convert it to safetensors with transformers 4 and TensorFlow: ", kFromTensorFlowCommand},
    RefusedFile{".keras", "a Keras file", "use the checkpoint that it was made from, as safetensors: "},
    RefusedFile{".tflite", "a compiled LiteRT model", "use the checkpoint that it was exported from, as safetensors: "},
    RefusedFile{".onnx", "an exported graph", "use the checkpoint that it was exported from, as safetensors: "},
};

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

Status check_file(const std::filesystem::path& path) {
  const std::string extension = lower_case(path.extension().string());
  for (const RefusedFile& row : kRefusedFiles)
    if (row.extension == extension)
      return fail(ErrorCode::unsupported, "{}: is {}, which is not read; {}{}", path.string(), row.what, row.remedy, row.command);
  if (extension == ".safetensors")
    return fail(ErrorCode::unsupported, "{}: name the folder that holds it, with its config.json and tokenizer files", path.string());
  return fail(ErrorCode::unsupported, "{}: is a file; name a .gguf file, or a Hugging Face folder with config.json and safetensors files", path.string());
}

/// Weights that are quantized already in a way that is not read.
Status check_quantization(const std::filesystem::path& folder) {
  const auto config = read_json_file(folder / "config.json", uint64_t{16} << 20);
  if (!config || !config->is_object()) return {};  // load_model says what is wrong
  const auto quantization = config->find("quantization_config");
  if (quantization == config->end() || !quantization->is_object()) return {};
  const std::string method = json_string_or(*quantization, "quant_method", "unknown");
  return fail(ErrorCode::unsupported,
              "{}: its weights are quantized already ({}), which is not read; use the original checkpoint that its model card names, or save it "
              "dequantized as safetensors: {}",
              folder.string(), method, kSafetensorsCommand);
}

/// A folder that has weights of refused kinds only.
Status check_weights(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::path refused, gguf;
  std::filesystem::directory_iterator items(folder, error);
  for (; !error && items != std::filesystem::directory_iterator(); items.increment(error)) {
    const std::string extension = lower_case(items->path().extension().string());
    if (extension == ".safetensors") return {};
    if (extension == ".gguf" && (gguf.empty() || items->path() < gguf)) gguf = items->path();
    const bool is_refused = std::ranges::any_of(kRefusedFiles, [&](const RefusedFile& row) { return row.extension == extension; });
    if (is_refused && (refused.empty() || items->path() < refused)) refused = items->path();
  }
  if (!gguf.empty()) return fail(ErrorCode::invalid_argument, "{}: holds GGUF files and no safetensors; name the file: {}", folder.string(), gguf.string());
  return refused.empty() ? Status{} : check_file(refused);
}

Result<ModelReference> bundled(std::string_view argument, std::string name) {
  std::ranges::replace(name, '-', '_');
  const std::filesystem::path path = datasets_folder() / name / "model";
  std::error_code error;
  if (!std::filesystem::is_directory(path, error))
    return fail(ErrorCode::not_found, "bundled model '{}' does not exist ({} was tried); there is bundled:tiny-phi", argument, path.string());
  return ModelReference{ModelReference::Kind::folder, path, std::string(argument)};
}

Result<ModelReference> synthetic(std::string_view argument, const std::string& name) {
  std::vector<std::string> known;
  for (const SyntheticModel& model : synthetic_models()) known.push_back(model.name);
  if (std::ranges::find(known, name) != known.end()) return ModelReference{ModelReference::Kind::synthetic, {}, std::string(argument)};
  const std::string nearest = nearest_name(name, known);
  return fail(ErrorCode::not_found, "synthetic model '{}' does not exist{}; there are {}", name,
              nearest.empty() ? "" : fmt::format(" (did you mean '{}'?)", nearest), fmt::join(known, ", "));
}

}  // namespace

Result<ModelReference> resolve_model(std::string_view argument) {
  constexpr std::string_view kBundled = "bundled:", kSynthetic = "synthetic:";
  if (argument.empty()) return fail(ErrorCode::invalid_argument, "the model is empty; name a folder, a .gguf file, bundled:tiny-phi or synthetic:NAME");
  if (argument.starts_with(kBundled)) return bundled(argument, std::string(argument.substr(kBundled.size())));
  if (argument.starts_with(kSynthetic)) return synthetic(argument, std::string(argument.substr(kSynthetic.size())));
  const std::filesystem::path path(argument);
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    return fail(ErrorCode::not_found, "model '{}' does not exist (tried {}); name a folder, a .gguf file, bundled:tiny-phi or synthetic:NAME", argument,
                std::filesystem::absolute(path, error).string());
  if (!std::filesystem::is_directory(status)) {
    if (is_gguf(path)) return ModelReference{ModelReference::Kind::folder, path, std::string(argument)};
    PHISCOPE_TRY(check_file(path));
  }
  if (is_artifact(path)) return ModelReference{ModelReference::Kind::artifact, path, std::string(argument)};
  PHISCOPE_TRY(check_quantization(path));
  PHISCOPE_TRY(check_weights(path));
  return ModelReference{ModelReference::Kind::folder, path, std::string(argument)};
}

std::filesystem::path datasets_folder() {
  if (const char* chosen = std::getenv("PHISCOPE_DATASETS"); chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code error;
  const std::filesystem::path installed = platform::executable_path().parent_path().parent_path() / "share" / "phiscope" / "datasets";
  if (std::filesystem::is_directory(installed, error)) return installed;
  return PHISCOPE_SOURCE_DATASETS;
}

}  // namespace phiscope
