#include <set>

#include "core/format/safetensors.h"

namespace phiscope {
namespace {

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr uint64_t kMaxIndexBytes = 64 << 20;

// Weights in other containers, with the command that turns them into safetensors ({0} = folder).
struct Foreign {
  std::string_view suffix;
  std::string_view what;
  std::string_view command;
};
constexpr std::string_view kSavePretrained =
    "python3 -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('{0}', dtype='auto').save_pretrained('{0}-safetensors')\"";
constexpr std::string_view kExportAgain =
    "python3 -c \"from huggingface_hub import snapshot_download as d; d('microsoft/MODEL', local_dir='{0}-safetensors', ignore_patterns=['*.bin'])\"";
constexpr Foreign kForeign[] = {
    {".bin", "a PyTorch pickle, which can run code when it is opened", kSavePretrained},
    {".pt", "a PyTorch pickle, which can run code when it is opened", kSavePretrained},
    {".pth", "a PyTorch pickle, which can run code when it is opened", kSavePretrained},
    {".h5", "a Keras file", kSavePretrained},
    {".tflite", "a deployment format without the original weights", kExportAgain},
    {".onnx", "a deployment format without the original weights", kExportAgain},
};

std::string command_for(const Foreign& foreign, const std::filesystem::path& folder) {
  return fmt::format(fmt::runtime(foreign.command), folder.string());
}

Error nothing_to_read(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::set<std::string> names;  // sorted, so that the same folder gives the same sentence
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) names.insert(entry.path().filename().string());
  for (const Foreign& foreign : kForeign)
    for (const std::string& name : names)
      if (std::filesystem::path(name).extension() == foreign.suffix)
        return {ErrorCode::unsupported, fmt::format("{}: '{}' is {}; Phiscope reads safetensors, convert with: {}", folder.string(), name,
                                                    foreign.what, command_for(foreign, folder))};
  return {ErrorCode::not_found, fmt::format("{}: neither '{}' nor '{}' is there; download the model's safetensors files into this folder",
                                            folder.string(), kSingle, kIndex)};
}

// A shard is a plain file name: an index must not reach outside its folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.find_first_of("/\\") == std::string::npos && name.find('\0') == std::string::npos && name != "." &&
         name != ".." && std::filesystem::path(name).extension() == ".safetensors";
}

Result<std::map<std::string, std::string>> read_weight_map(const std::filesystem::path& path) {
  const std::string where = path.filename().string();
  PHISCOPE_ASSIGN(const Json index, read_json_file(path, kMaxIndexBytes));
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object() || index["weight_map"].empty())
    return fail(ErrorCode::invalid_file, "{}: 'weight_map' must be an object of tensor names and file names", where);
  std::map<std::string, std::string> map;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    if (!file.is_string() || !is_plain_name(file.get<std::string>()))
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' is in {}, which is not a plain .safetensors file name", where, tensor,
                  dump_line(file));
    map.emplace(tensor, file.get<std::string>());
  }
  return map;
}

Result<std::shared_ptr<const TensorFiles>> open_shards(const std::filesystem::path& folder) {
  PHISCOPE_ASSIGN(const auto weight_map, read_weight_map(folder / kIndex));
  std::set<std::string> shards;
  for (const auto& [tensor, file] : weight_map) shards.insert(file);
  std::error_code ignored;
  for (const std::string& shard : shards)
    if (!std::filesystem::exists(folder / shard, ignored))
      return fail(ErrorCode::not_found, "{}: shard '{}' is missing ({} names it); download it into the folder", folder.string(), shard, kIndex);
  TensorFilesBuilder builder;
  for (const std::string& shard : shards) {
    PHISCOPE_ASSIGN(auto mapped, MappedFile::open(folder / shard));
    PHISCOPE_TRY(builder.add(std::move(mapped)));
  }
  for (const auto& [tensor, file] : weight_map) {
    const TensorEntry* entry = builder.files().find(tensor);
    if (entry == nullptr)
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' should be in '{}' but is not", kIndex, tensor, file);
    const auto& found = builder.files().files()[static_cast<size_t>(entry->file)]->path();
    if (found.filename() != file)
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' should be in '{}' but is in '{}'", kIndex, tensor, file, found.filename().string());
  }
  return builder.finish();
}

}  // namespace

Result<std::shared_ptr<const TensorFiles>> TensorFiles::open_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return fail(ErrorCode::not_found, "{}: no such folder", folder.string());
  if (std::filesystem::exists(folder / kSingle, ignored)) return open_file(folder / kSingle);
  if (std::filesystem::exists(folder / kIndex, ignored)) return open_shards(folder);
  return fail(nothing_to_read(folder));
}

}  // namespace phiscope
